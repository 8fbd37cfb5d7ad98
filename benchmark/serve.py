"""The trained models behind HTTP, as a Ray Serve application.

    GET  /v1/models                       {"models": [{"workload", "sha256", "quality", …}]}
    GET  /v1/health                       {"status": "ok", "replica", "models": {workload: sha256}}
    GET  /v1/metrics                      what the replica that answers has counted, for Prometheus
    POST /v1/models/<workload>:predict    {"instances": […]} -> {"predictions": […], "model_sha256"}

An instance is a list of features (mlp, digits) or text (bytelm: its bytes are the context). A
prediction is `{"label", "probabilities"}`, or for text the distribution of the next byte.
Requests that wait together are computed together. A model is loaded only if its weights have
the hash that the deployment names.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from benchmark import models
from benchmark.checkpoint import check
from benchmark.config import GptConfig, ModelConfig
from benchmark.errors import BenchmarkError, CheckpointError
from benchmark.serve_metrics import CONTENT_TYPE, Metrics
from benchmark.store import Store, get_json, open_store

MAX_INSTANCES = 512
MAX_BODY = 4 << 20
# A node has 21 ports for replicas, of which one that has ended keeps its own for a while.
MAX_REPLICAS = 16


class Arguments(BaseModel):
    """What to serve: workload -> the key of its card (model.json) and the hash of its weights.

    As many replicas run as it takes to keep each at `target_ongoing_requests` requests under way or
    waiting, within `min_replicas` and `max_replicas`. Two at least: one may be lost or replaced.
    """

    model_config = ConfigDict(extra="forbid")

    models: dict[str, dict[str, str]] = {}
    store: str = "s3://"
    min_replicas: int = Field(default=2, ge=2)
    max_replicas: int = Field(default=4, le=MAX_REPLICAS)
    target_ongoing_requests: float = Field(default=8, gt=0)
    cpus_per_replica: float = 0.1
    threads: int = 1
    max_batch_size: int = 16
    batch_wait_s: float = 0.002

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> Arguments:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas {self.max_replicas} must not be below min_replicas {self.min_replicas}"
            )
        return self

    def autoscaling(self) -> dict[str, Any]:
        """Ray Serve's `autoscaling_config`: up after half a minute of load, down after five without."""
        return {
            "min_replicas": self.min_replicas,
            "initial_replicas": self.min_replicas,
            "max_replicas": self.max_replicas,
            "target_ongoing_requests": self.target_ongoing_requests,
            "upscale_delay_s": 30,
            "downscale_delay_s": 300,
        }


class RequestError(Exception):
    """The client's mistake: an HTTP status and a message that says which field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def card_key(card: Mapping[str, Any]) -> str:
    """Where the card itself lies: beside the weights that it names."""
    return str(card["key"]).rpartition("/")[0] + "/model.json"


class Loaded:
    """One model in memory with its card."""

    def __init__(self, store: Store, card_key: str, sha256: str) -> None:
        self.card: dict[str, Any] = get_json(store, card_key)
        if self.card.get("sha256") != sha256:
            raise CheckpointError(
                f"{card_key}: sha256: is {self.card.get('sha256')}, the deployment asks for {sha256}"
            )
        data = store.get(self.card["key"])
        check(data, sha256, self.card["key"])
        self.config: Any = TypeAdapter(ModelConfig).validate_python(self.card["model"])
        self.model: nn.Module = models.build(self.config)
        try:
            self.model.load_state_dict(load_tensors(data))
        except (SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{self.card['key']}: does not fit its card: {error}") from error
        self.model.eval()

    @torch.inference_mode()
    def predict(self, instances: Sequence[Any]) -> list[dict[str, Any]]:
        if isinstance(self.config, GptConfig):
            return self._predict_text(instances)
        logits = self.model(torch.tensor(instances, dtype=torch.float32))
        if self.config.outputs == 1:
            one = torch.sigmoid(logits.double().squeeze(-1))
            probabilities = torch.stack([1 - one, one], dim=-1)
        else:
            probabilities = logits.double().softmax(-1)
        return [{"label": int(p.argmax()), "probabilities": p.tolist()} for p in probabilities]

    def _predict_text(self, instances: Sequence[Any]) -> list[dict[str, Any]]:
        """The last `context` bytes count. Texts of one length share a batch; answers keep their order."""
        tails = [text.encode()[-self.config.context :] for text in instances]
        answers: list[dict[str, Any]] = [{} for _ in tails]
        for length in sorted({len(t) for t in tails}):
            rows = [i for i, t in enumerate(tails) if len(t) == length]
            x = torch.tensor([list(tails[i]) for i in rows])
            last: Tensor = self.model(x)[:, -1].double().softmax(-1)
            for i, p in zip(rows, last, strict=True):
                answers[i] = {"label": int(p.argmax()), "probabilities": [round(v, 9) for v in p.tolist()]}
        return answers

    def describe(self) -> dict[str, Any]:
        return {k: self.card[k] for k in ("workload", "sha256", "metric", "quality", "seed", "bytes")}


def parse(body: bytes, config: ModelConfig) -> list[Any]:
    """The instances of a request; RequestError names the first field that is wrong."""
    if len(body) > MAX_BODY:
        raise RequestError(413, f"body: {len(body)} bytes, at most {MAX_BODY} are accepted")
    try:
        content = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f"body: is not JSON: {error}") from None
    instances = content.get("instances") if isinstance(content, dict) else None
    if not isinstance(instances, list) or not instances:
        raise RequestError(400, 'instances: must be a list that is not empty, as in {"instances": [...]}')
    if len(instances) > MAX_INSTANCES:
        raise RequestError(413, f"instances: {len(instances)}, at most {MAX_INSTANCES} are accepted")
    for i, instance in enumerate(instances):
        problem = _problem(instance, config)
        if problem:
            raise RequestError(400, f"instances[{i}]: {problem}")
    return instances


def _problem(instance: Any, config: ModelConfig) -> str | None:
    if isinstance(config, GptConfig):
        return None if isinstance(instance, str) and instance else "must be text that is not empty"
    if not isinstance(instance, list) or len(instance) != config.inputs:
        return f"must be a list of {config.inputs} numbers"
    for j, value in enumerate(instance):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"[{j}]: must be a finite number"
    return None


class Router:
    """Requests to models; knows nothing of Ray, so that it is tested without it."""

    def __init__(self, arguments: Arguments, replica: str = "") -> None:
        torch.set_num_threads(arguments.threads)
        self.metrics = Metrics(replica)
        self.store = arguments.store
        self.models: dict[str, Loaded] = {}
        self.models = self.load(arguments.models)

    def load(self, chosen: Mapping[str, Mapping[str, str]]) -> dict[str, Loaded]:
        """The models of `chosen`, all of them or CheckpointError; what is in memory with its hash stays."""
        store = open_store(self.store)
        known = self.hashes()
        return {
            name: self.models[name]
            if known.get(name) == m["sha256"]
            else Loaded(store, m["card"], m["sha256"])
            for name, m in chosen.items()
        }

    def page(self, method: str, path: str) -> tuple[str, str] | None:
        """(content type, body) of a page about this replica; None where `path` names none."""
        pages = {"/v1/models": self.overview, "/v1/health": self.health}
        path = path.rstrip("/")
        if path not in pages and path != "/v1/metrics":
            return None
        if method != "GET":
            raise RequestError(405, f"{path}: only GET is allowed here")
        if path == "/v1/metrics":
            return CONTENT_TYPE, self.metrics.text(self.hashes())
        return "application/json", json.dumps(pages[path]())

    def route(self, method: str, path: str, body: bytes) -> tuple[Loaded, list[Any]]:
        """(model, instances) of a prediction: replaced or removed meanwhile, this model still answers."""
        name, colon, action = path.removeprefix("/v1/models/").partition(":")
        if not path.startswith("/v1/models/") or not colon or action != "predict":
            raise RequestError(
                404,
                f"{path}: not found; try POST /v1/models/<workload>:predict, "
                "or GET /v1/models, /v1/health, /v1/metrics",
            )
        if name not in self.models:
            raise RequestError(
                404, f"{name}: no such model; serving {', '.join(sorted(self.models)) or 'none'}"
            )
        if method != "POST":
            raise RequestError(405, f"{path}: only POST is allowed here")
        model = self.models[name]
        return model, parse(body, model.config)

    def known(self, path: str) -> str | None:
        """The model that `path` names if it is served: a client's inventions become no label."""
        name = path.removeprefix("/v1/models/").partition(":")[0]
        return name if name in self.models else None

    def hashes(self) -> dict[str, str]:
        return {name: model.card["sha256"] for name, model in sorted(self.models.items())}

    def health(self) -> dict[str, Any]:
        """A replica answers only once its models are loaded and their hashes checked."""
        return {"status": "ok", "replica": self.metrics.replica, "models": self.hashes()}

    def overview(self) -> dict[str, Any]:
        return {"models": [m.describe() for _, m in sorted(self.models.items())]}

    def predict_batch(self, requests: Sequence[tuple[Loaded, list[Any]]]) -> list[dict[str, Any]]:
        """Answer several requests with one forward pass a model."""
        answers: list[dict[str, Any]] = [{} for _ in requests]
        for model in {id(m): m for m, _ in requests}.values():
            mine = [i for i, (m, _) in enumerate(requests) if m is model]
            self.metrics.computed(model.card["workload"], len(mine))
            predictions = model.predict([x for i in mine for x in requests[i][1]])
            first = 0
            for i in mine:
                count = len(requests[i][1])
                answers[i] = {
                    "predictions": predictions[first : first + count],
                    "model_sha256": model.card["sha256"],
                }
                first += count
        return answers


def build(arguments: dict[str, Any]) -> Any:
    """The application builder that Ray Serve calls: `import_path: benchmark.serve:build`."""
    from ray import serve
    from starlette.requests import Request  # type: ignore[import-not-found]
    from starlette.responses import JSONResponse, Response  # type: ignore[import-not-found]

    settings = Arguments.model_validate(arguments)

    @serve.deployment(
        name="models",
        autoscaling_config=settings.autoscaling(),
        max_ongoing_requests=64,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=20,
        ray_actor_options={"num_cpus": settings.cpus_per_replica},
    )
    class Models:
        def __init__(self) -> None:
            # Ray calls `reconfigure` before the first request.
            self.router = Router(settings, serve.get_replica_context().replica_tag)

        async def reconfigure(self, chosen: dict[str, dict[str, str]]) -> None:
            """Other models, in place: requests are answered by the old ones until the new ones are loaded."""
            loaded = await asyncio.to_thread(self.router.load, chosen)
            self.router.models = loaded

        @serve.batch(  # type: ignore[untyped-decorator]
            max_batch_size=settings.max_batch_size, batch_wait_timeout_s=settings.batch_wait_s
        )
        async def predict(self, requests: list[tuple[Loaded, list[Any]]]) -> list[dict[str, Any]]:
            return self.router.predict_batch(requests)

        async def __call__(self, request: Request) -> Response:
            begin, method, path = time.perf_counter(), request.method, request.url.path
            answer = await self.answer(request, method, path)
            self.router.metrics.answered(
                self.router.known(path), answer.status_code, time.perf_counter() - begin
            )
            return answer

        async def answer(self, request: Request, method: str, path: str) -> Response:
            try:
                if page := self.router.page(method, path):
                    return Response(page[1], media_type=page[0])
                called = self.router.route(method, path, await request.body())
                return JSONResponse(await self.predict(called))
            except RequestError as error:
                return JSONResponse({"error": str(error)}, status_code=error.status)
            except BenchmarkError as error:
                return JSONResponse({"error": str(error)}, status_code=500)

    return Models.bind()  # type: ignore[attr-defined]
