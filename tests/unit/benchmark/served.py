"""Three small models, served without Ray for the tests of the service."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from benchmark.core.config import GptConfig, MlpConfig
from benchmark.core.documents import put_json
from benchmark.core.store import DirectoryStore
from benchmark.model import models
from benchmark.serving import app
from benchmark.serving.batches import Answer, compute
from benchmark.serving.service import Service
from benchmark.serving.settings import Arguments
from benchmark.serving.work import Call

CONFIGS: dict[str, MlpConfig | GptConfig] = {
    "mlp": MlpConfig(kind="mlp", inputs=3, hidden=[4], outputs=1),
    "digits": MlpConfig(kind="mlp", inputs=4, hidden=[8], outputs=10),
    "bytelm": GptConfig(kind="gpt", depth=1, width=8, heads=2, context=8),
}


def saved(store: DirectoryStore) -> Arguments:
    """Saves the models to the store; the arguments that serve them."""
    served = {}
    for name, config in CONFIGS.items():
        torch.manual_seed(0)
        data = save_tensors({k: torch.randn_like(v) for k, v in models.build(config).state_dict().items()})
        sha = hashlib.sha256(data).hexdigest()
        prefix = f"models/{name}/r/seed-1"
        store.put(f"{prefix}/model.safetensors", data)
        card = {"workload": name, "key": f"{prefix}/model.safetensors", "sha256": sha, "bytes": len(data),
                "model": config.model_dump(), "metric": "accuracy", "quality": 0.9, "seed": 1}  # fmt: skip
        put_json(store, f"{prefix}/model.json", card)
        served[name] = {"card": f"{prefix}/model.json", "sha256": sha}
    return Arguments(models=served, store=str(store.root))


def computed(router: app.Router, calls: Sequence[Call]) -> list[dict[str, Any]]:
    """The contents of the answers to one batch; all must have status 200."""
    answers = compute(calls, router.metrics)
    assert [a.status for a in answers] == [200] * len(calls)
    return [json.loads(a.body) for a in answers]


def ask(router: app.Router, name: str, instances: list[Any]) -> list[dict[str, Any]]:
    body = json.dumps({"instances": instances}).encode()
    (answer,) = computed(router, [prediction(router, name, body)])
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


def prediction(router: app.Router, name: str, body: bytes) -> Call:
    found = router.route("POST", f"/v1/models/{name}:predict", body)
    assert isinstance(found, Call)
    return found


async def request(
    service: Service,
    method: str,
    path: str,
    body: bytes | Exception = b"",
    predict: Callable[[Call], Awaitable[Answer]] | None = None,
) -> Answer:
    """One request; an exception as its body is raised where the body is read."""

    async def read() -> bytes:
        if isinstance(body, Exception):
            raise body
        return body

    async def alone(asked: Call) -> Answer:
        (answer,) = await service.batch([asked])
        return answer

    found = await service.answer(method, path, read, predict or alone)
    assert isinstance(found, Answer)
    return found


def at_once(service: Service, name: str, bodies: Sequence[bytes]) -> list[Answer]:
    """All requests arrive together, and those that are admitted are computed as one batch."""

    async def go() -> list[Answer]:
        calls: list[tuple[Call, asyncio.Future[Answer]]] = []

        async def predict(asked: Call) -> Answer:
            calls.append((asked, asyncio.get_running_loop().create_future()))
            return await calls[-1][1]

        path = f"/v1/models/{name}:predict"
        tasks = [asyncio.ensure_future(request(service, "POST", path, b, predict)) for b in bodies]
        for _ in range(5):
            await asyncio.sleep(0)
        if calls:
            for (_, future), answer in zip(calls, await service.batch([c for c, _ in calls]), strict=True):
                future.set_result(answer)
        return await asyncio.gather(*tasks)

    return asyncio.run(go())
