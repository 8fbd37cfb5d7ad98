"""The trained models behind HTTP, as a Ray Serve application.

    GET  /v1/models                       {"models": [{"workload", "sha256", "quality", "limits", …}]}
    GET  /v1/health                       {"status": "ok", "replica", "models": {workload: sha256}}
    GET  /v1/metrics                      what the replica that answers has counted, for Prometheus
    POST /v1/models/<workload>:predict    {"instances": […]} -> {"predictions": […], "model_sha256", …}
    POST /v1/models/<workload>:generate   text that a language model continues: `benchmark.serving.generating`

An instance is a list of features (mlp, digits) or text (bytelm: its bytes are the context). A
prediction is `{"label", "probabilities"}`, or for text the distribution of the next byte. A user's own
model takes and gives what its signature says. The answer names the version that gave it, where one is known.
Requests that wait together are computed together, in a thread of their own. A model is loaded only if
its weights have the hash that the deployment names. What a request may ask for: `benchmark.serving.work`.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import asyncio
import json
import random
import traceback
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmark.checkpoints.artefact import card_digest
from benchmark.checkpoints.loading import Model, load
from benchmark.core.errors import MissingError, StoreError
from benchmark.core.store import open_store
from benchmark.serving.batches import JSON, Answer, Stream
from benchmark.serving.generating import Generation, generation
from benchmark.serving.metrics import CONTENT_TYPE, Metrics
from benchmark.serving.requests import RequestError, parse, read, shown
from benchmark.serving.service import Service
from benchmark.serving.settings import CANARY, Arguments
from benchmark.serving.work import ONGOING, QUEUED, Call, call, limits

GENERATE = ":generate"
ACTIONS = ("predict", GENERATE[1:])


@dataclass
class Loading:
    """`failed`: model to why it could not be loaded."""

    models: dict[str, Model] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Router:
    """Requests to models; knows nothing of Ray, so that it is tested without it."""

    def __init__(self, arguments: Arguments, replica: str = "") -> None:
        torch.set_num_threads(arguments.threads)
        self.metrics = Metrics(replica)
        self.store = arguments.store
        self.models: dict[str, Model] = {}
        self.chosen: Mapping[str, Mapping[str, str]] = {}
        self.failed: Mapping[str, str] = {}
        self.serve(arguments.models, self.load(arguments.models))

    def load(self, chosen: Mapping[str, Mapping[str, str]]) -> Loading:
        """The models of `chosen`; what is in memory with its hash stays.

        One that cannot be loaded is not in the way of the others. StoreError where the store cannot be
        asked: then Ray tries again, and the replica does not answer without its models.
        """
        store = open_store(self.store)
        known = {(m.card["sha256"], card_digest(m.card)): m for m in self.models.values()}
        found = Loading()
        for name, m in chosen.items():
            digest = m.get("card_sha256", "")
            same = (k for (sha, card), k in known.items() if sha == m["sha256"] and digest in ("", card))
            try:
                found.models[name] = next(same, None) or load(store, m["card"], m["sha256"], digest)
            except Exception as error:  # whatever a file of somebody else's brings about
                if isinstance(error, StoreError) and not isinstance(error, MissingError):
                    raise
                traceback.print_exc()
                found.failed[name] = f"{type(error).__name__}: {error!s:.500}"
        return found

    def serve(self, chosen: Mapping[str, Mapping[str, str]], loaded: Loading) -> None:
        """From now on requests are answered by these; by the one of before where a new one failed."""
        models, told = dict(loaded.models), {n: m for n, m in chosen.items() if n in loaded.models}
        for name in loaded.failed.keys() & self.models.keys():
            models[name], told[name] = self.models[name], self.chosen.get(name, {})
        self.models, self.chosen, self.failed = models, told, dict(loaded.failed)

    def drawn(self, name: str) -> str:
        """The model, or its canary for that one's share of the requests."""
        share = self.chosen.get(name + CANARY, {}).get("share", "0")
        return name + CANARY if random.random() * 100 < float(share) else name

    def page(self, method: str, path: str) -> tuple[str, str] | None:
        """(content type, body) of a page about this replica; None where `path` names none."""
        pages = {"/v1/models": self.overview, "/v1/health": self.health}
        path = path.rstrip("/")
        if path not in pages and path != "/v1/metrics":
            return None
        if method != "GET":
            raise RequestError(405, f"{path}: only GET is allowed here", {"Allow": "GET"})
        if path == "/v1/metrics":
            return CONTENT_TYPE, self.metrics.text(self.hashes())
        return JSON, json.dumps(pages[path]())

    def find(self, method: str, path: str) -> str:
        """The name of a prediction's model, before anything of the body is read."""
        name, colon, action = path.removeprefix("/v1/models/").partition(":")
        if not path.startswith("/v1/models/") or not colon or action not in ACTIONS:
            raise RequestError(
                404,
                f"{shown(path)}: not found; try POST /v1/models/<workload>:predict or :generate, "
                "or GET /v1/models, /v1/health, /v1/metrics",
            )
        if name in self.failed and name not in self.models:
            raise RequestError(503, f"{name}: cannot be served: {self.failed[name]}")
        if name not in self.models or name.endswith(CANARY):
            served = ", ".join(n for n in sorted(self.models) if not n.endswith(CANARY)) or "none"
            raise RequestError(404, f"{shown(name)}: no such model; serving {served}")
        if method != "POST":
            raise RequestError(405, f"{path}: only POST is allowed here", {"Allow": "POST"})
        return name

    def route(self, method: str, path: str, body: bytes) -> Call | Generation:
        """What is asked of a model: one that is replaced or removed meanwhile still answers."""
        name = self.drawn(self.find(method, path))
        model, version = self.models[name], self.chosen.get(name, {}).get("version", "")
        if path.endswith(GENERATE):
            return generation(body, model, name.removesuffix(CANARY), version)
        return call(model, parse(body, model.config), version)

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
        models = [self.row(n) for n in sorted(self.models) if not n.endswith(CANARY)]
        failed = [{"workload": name, "error": error} for name, error in sorted(self.failed.items())]
        return {"models": models, **({"failed": failed} if failed else {})}

    def row(self, name: str) -> dict[str, Any]:
        model, canary = self.models[name], self.chosen.get(name + CANARY)
        found: dict[str, Any] = {**model.describe(), "workload": name, "limits": limits(model)}
        found |= {k: v for k, v in self.chosen.get(name, {}).items() if k == "version"}
        if canary:
            found["canary"] = {k: canary[k] for k in ("version", "sha256", "share") if k in canary}
        return found


def build(arguments: dict[str, Any]) -> Any:
    """The application builder that Ray Serve calls: `import_path: benchmark.serving.app:build`."""
    from ray import serve
    from starlette.requests import Request  # type: ignore[import-not-found]
    from starlette.responses import Response, StreamingResponse  # type: ignore[import-not-found]

    settings = Arguments.model_validate(arguments)

    @serve.deployment(
        name="models",
        autoscaling_config=settings.autoscaling(),
        max_ongoing_requests=ONGOING,
        max_queued_requests=QUEUED,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=20,
        ray_actor_options={"num_cpus": settings.cpus_per_replica},
    )
    class Models:
        def __init__(self) -> None:
            # Ray calls `reconfigure` before the first request.
            self.router = Router(settings, serve.get_replica_context().replica_tag)
            self.service = Service(self.router, settings.threads)

        async def reconfigure(self, chosen: dict[str, dict[str, str]]) -> None:
            """Other models, in place: requests are answered by the old ones until the new ones are loaded."""
            loaded = await asyncio.to_thread(self.router.load, chosen)
            self.router.serve(chosen, loaded)

        @serve.batch(  # type: ignore[untyped-decorator]
            max_batch_size=settings.max_batch_size, batch_wait_timeout_s=settings.batch_wait_s
        )
        async def predict(self, calls: list[Call]) -> list[Answer]:
            return await self.service.batch(calls)

        async def __call__(self, request: Request) -> Response:
            def body() -> Awaitable[bytes]:
                return read(request.stream(), request.headers.get("content-length"))

            found = await self.service.answer(request.method, request.url.path, body, self.predict)
            if isinstance(found, Stream):
                # A part that waits in a proxy for the next one would be no stream.
                headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
                return StreamingResponse(found.events, found.status, headers, found.media_type)
            return Response(found.body, found.status, found.headers, found.media_type)

    return Models.bind()  # type: ignore[attr-defined]
