"""Text that a model continues: at once, as a stream, and for a client that goes away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmark.serving import app
from benchmark.serving.batches import Answer, Stream
from benchmark.serving.service import Service
from benchmark.serving.settings import Arguments
from tests.unit.benchmark.serving.test_metrics import value

PATH = "/v1/models/bytelm:generate"


async def asked(service: Service, body: Any, path: str = PATH) -> Answer | Stream:
    async def read() -> bytes:
        return json.dumps(body).encode()

    async def predict(_: Any) -> Answer:
        raise AssertionError("this is no prediction")

    return await service.answer("POST", path, read, predict)


def answer(service: Service, body: Any, path: str = PATH) -> tuple[int, dict[str, Any]]:
    found = asyncio.run(asked(service, body, path))
    assert isinstance(found, Answer)
    return found.status, json.loads(found.body)


async def streamed(service: Service, body: Any, most: int = 10_000) -> list[dict[str, Any]]:
    """The events, at most so many; then the client goes away."""
    found = await asked(service, body)
    assert isinstance(found, Stream)
    pieces: list[dict[str, Any]] = []
    async for event in found.events:
        assert event.startswith(b"data: ") and event.endswith(b"\n\n")  # noqa: PT018
        pieces.append(json.loads(event[6:]))
        if len(pieces) == most:
            await found.events.aclose()  # type: ignore[attr-defined]
            break
    return pieces


@pytest.fixture
def service(arguments: Arguments) -> Service:
    return Service(app.Router(arguments, "one"))


def test_a_stream_gives_the_same_text_as_one_answer(service: Service) -> None:
    wanted = {"prompt": "def f(", "max_bytes": 12, "temperature": 0.9, "seed": 5}
    status, whole = answer(service, wanted)
    *pieces, end = asyncio.run(streamed(service, {**wanted, "stream": True}))
    assert (status, end["done"], len(pieces)) == (200, True, 12)
    assert "".join(p["text"] for p in pieces) == whole["text"]
    assert bytes(p["byte"] for p in pieces).decode(errors="replace") == whole["text"]
    assert whole["model_sha256"] == end["model_sha256"]


def test_temperature_zero_takes_the_byte_that_a_prediction_names(service: Service) -> None:
    (piece, _) = asyncio.run(streamed(service, {"prompt": "abc", "max_bytes": 1, "stream": True}))
    (said,) = service.router.models["bytelm"].predict(["abc"])
    assert piece["byte"] == said["label"]


def test_a_client_that_goes_away_stops_the_generation(service: Service) -> None:
    wanted = {"prompt": "x", "max_bytes": 500, "stream": True}
    assert len(asyncio.run(streamed(service, wanted, most=3))) == 3
    text = service.router.metrics.text({})
    labels = {"replica": "one", "model": "bytelm"}
    assert value(text, "aidc_serve_generations_stopped_total", **labels) == 1
    assert value(text, "aidc_serve_byte_seconds_count", **labels) < 10
    assert not service.backlog.waiting


def test_a_stream_that_nobody_reads_leaves_no_work_behind(service: Service) -> None:
    async def go() -> None:
        await asked(service, {"prompt": "x", "stream": True})

    asyncio.run(go())
    assert service.backlog.seconds() == 0


@pytest.mark.parametrize(
    ("body", "field", "got"),
    [
        ({}, "prompt", "nothing: the field is missing"),
        ({"prompt": ""}, "prompt", "the text ''"),
        ({"prompt": 1}, "prompt", "1"),
        ({"prompt": "a", "max_bytes": 0}, "max_bytes", "0"),
        ({"prompt": "a", "max_bytes": 5000}, "max_bytes", "5000"),
        ({"prompt": "a", "max_bytes": 1.5}, "max_bytes", "1.5"),
        ({"prompt": "a", "temperature": -1}, "temperature", "-1"),
        ({"prompt": "a", "stream": "yes"}, "stream", "the text 'yes'"),
        ({"prompt": "a", "more": 1}, "more", "1"),
        ({"prompt": "\ud800"}, "prompt", ""),
        ([], "body", "a list of 0"),
    ],
)
def test_a_clients_mistake_is_named_by_field(service: Service, body: Any, field: str, got: str) -> None:
    status, said = answer(service, body)
    assert status == 400
    assert said["field"] == field
    assert said["got"].startswith(got)


def test_only_a_language_model_generates(service: Service) -> None:
    status, said = answer(service, {"prompt": "a"}, "/v1/models/mlp:generate")
    assert (status, "does not generate text" in said["error"]) == (404, True)


def test_answers_are_counted_by_version(arguments: Arguments) -> None:
    chosen = {n: {**m, "version": "7"} for n, m in arguments.models.items()}
    service = Service(app.Router(arguments.model_copy(update={"models": chosen}), "one"))
    assert answer(service, {"prompt": "a", "max_bytes": 2})[1]["model_version"] == "7"
    labels = {"replica": "one", "model": "bytelm", "version": "7", "status": "200"}
    assert value(service.router.metrics.text({}), "aidc_serve_requests_total", **labels) == 1
