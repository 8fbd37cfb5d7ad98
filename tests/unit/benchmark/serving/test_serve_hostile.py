"""Whatever bytes a client sends: its own request is refused or answered, and nobody else's suffers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.checkpoints.artefact import Loaded
from benchmark.serving import app
from benchmark.serving.batches import Answer
from benchmark.serving.requests import MAX_BODY, RequestError, read
from benchmark.serving.service import Service
from benchmark.serving.settings import Arguments
from benchmark.serving.work import Call
from tests.unit.benchmark.served import at_once, request

GOOD: dict[str, list[Any]] = {
    "mlp": [[1.0, 2.0, 3.0]],
    "digits": [[0.0, 1.0, 2.0, 3.0]],
    "bytelm": ["import os"],
}
FINITE = "must be a finite number (float32)"
DEEP = "body: is nested too deeply"
BAD: dict[str, tuple[str, bytes, str]] = {
    "half a surrogate pair": (
        "bytelm",
        b'{"instances":["ok","a\\ud83d"]}',
        "instances[1]: \\ud83d at character 1",
    ),
    "what float32 cannot hold": ("mlp", b'{"instances":[[1e39,0,0]]}', f"instances[0][0]: {FINITE}"),
    "400 digits": ("mlp", b'{"instances":[[0,1' + b"0" * 400 + b",0]]}", f"instances[0][1]: {FINITE}"),
    "5,000 digits": ("mlp", b'{"instances":[[0,0,' + b"9" * 5000 + b"]]}", f"instances[0][2]: {FINITE}"),
    "200,000 brackets": ("mlp", b"[" * 200_000, DEEP),
    "deep objects": ("mlp", b'{"a":' * 100_000, DEEP),
    "a truth value": ("mlp", b'{"instances":[[true,0,0]]}', f"instances[0][0]: {FINITE}"),
    "not a number": ("mlp", b'{"instances":[[0,NaN,0]]}', f"instances[0][1]: {FINITE}"),
    "minus infinity": ("mlp", b'{"instances":[[0,0,-Infinity]]}', f"instances[0][2]: {FINITE}"),
    "null": ("digits", b'{"instances":[[null,0,0,0]]}', f"instances[0][0]: {FINITE}"),
    "a key twice": (
        "mlp",
        b'{"instances":[[1,2,3]],"instances":[[1,2,3]]}',
        "the key 'instances' is given twice",
    ),
    "a broken key twice": ("mlp", b'{"\\ud83d":1,"\\ud83d":2}', "the key '\\ud83d' is given twice"),
    "not UTF-8": ("bytelm", b'{"instances":["\xff\xfe"]}', "body: is not JSON"),
    "a number for a text": ("bytelm", b'{"instances":[1]}', "instances[0]: must be non-empty text"),
}
NUMBERS = st.one_of(
    st.floats(), st.integers(-(10**400), 10**400), st.booleans(), st.none(), st.just(3.4028235677973366e38)
)
DOCUMENTS = st.recursive(
    st.one_of(NUMBERS, st.text(st.characters())), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)
REQUESTS = st.one_of(
    st.binary(max_size=300),
    DOCUMENTS.map(lambda x: json.dumps(x).encode()),
    DOCUMENTS.map(lambda x: json.dumps({"instances": x}).encode()),
    st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=4).map(
        lambda x: json.dumps({"instances": x}).encode()
    ),
    st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=4).map(
        lambda x: json.dumps({"instances": x}).encode()
    ),
)


@pytest.fixture
def service(arguments: Arguments) -> Service:
    return Service(app.Router(arguments))


def body(instances: list[Any]) -> bytes:
    return json.dumps({"instances": instances}).encode()


def message(answer: Answer) -> str:
    text: str = json.loads(answer.body)["error"]
    return text


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_with_its_fault_and_its_neighbours_are_answered(
    service: Service, name: str
) -> None:
    model, bad, words = BAD[name]
    (alone,) = at_once(service, model, [body(GOOD[model])])
    answers = at_once(service, model, [body(GOOD[model]), bad, body(GOOD[model])])
    assert [a.status for a in answers] == [200, 400, 200]
    assert words in message(answers[1])
    assert label(answers[0]) == label(answers[2]) == label(alone)


def label(answer: Answer) -> list[int]:
    return [p["label"] for p in json.loads(answer.body)["predictions"]]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=REQUESTS, model=st.sampled_from(sorted(GOOD)))
def test_any_bytes_get_an_answer_and_the_neighbour_gets_the_right_one(
    service: Service, bad: bytes, model: str
) -> None:
    (alone,) = at_once(service, model, [body(GOOD[model])])
    strange, neighbour = at_once(service, model, [bad, body(GOOD[model])])
    assert strange.status in {200, 400, 413, 422}
    json.loads(strange.body)
    assert neighbour.status == 200
    expected, found = (json.loads(a.body)["predictions"] for a in (alone, neighbour))
    assert found[0]["probabilities"] == pytest.approx(expected[0]["probabilities"], abs=1e-6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(exclude_categories=())), method=st.sampled_from(["GET", "POST", "PUT", "x"])
)
def test_any_path_gets_an_answer(service: Service, path: str, method: str) -> None:
    for asked in (path, f"/v1/models/{path}:predict", f"/v1/models{path}"):
        answer = asyncio.run(request(service, method, asked, b"x"))
        assert answer.status in {200, 400, 404, 405}
        answer.body.decode("ascii")


def test_an_answer_that_is_not_finite_is_the_fault_of_its_request(service: Service) -> None:
    largest = body([[3.4e38, 3.4e38, 3.4e38]])
    with torch.no_grad():  # so large that what the first layer adds up is infinite
        service.router.models["mlp"].model.layers[0].weight.copy_(torch.full((4, 3), 3e38))  # type: ignore[index, union-attr]
    answers = at_once(service, "mlp", [body([[0.0, 0.0, 0.0]]), largest])
    assert [a.status for a in answers] == [200, 422]
    assert "instances[0]: the model's answer to it is not finite" in message(answers[1])


def test_a_batch_that_fails_is_computed_one_by_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Loaded.predict

    def predict(self: Loaded, instances: list[Any]) -> list[dict[str, Any]]:
        if [9.0, 9.0, 9.0] in instances:
            raise RuntimeError("planted")
        return right(self, instances)

    monkeypatch.setattr(Loaded, "predict", predict)
    answers = at_once(service, "mlp", [body(GOOD["mlp"]), body([[9, 9, 9]]), body(GOOD["mlp"])])
    assert [a.status for a in answers] == [200, 500, 200]
    assert "planted" not in message(answers[1])


def test_no_body_is_read_for_a_path_or_method_that_takes_none(service: Service) -> None:
    unread = AssertionError("the body was read")
    for method, path, status in (
        ("PUT", "/v1/models/mlp:predict", 405), ("POST", "/elsewhere", 404), ("PUT", "/v1/health", 405),
        ("POST", "/v1/models/other:predict", 404),
    ):  # fmt: skip
        answer = asyncio.run(request(service, method, path, unread))
        assert answer.status == status


def test_a_body_without_end_is_refused_at_the_limit() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1 << 16
            yield b" " * (1 << 16)

    with pytest.raises(RequestError, match="at most") as caught:
        asyncio.run(read(endless()))
    assert caught.value.status == 413
    assert taken <= MAX_BODY + (1 << 16)


@pytest.mark.parametrize("declared", [str(MAX_BODY + 1), "9" * 4000])
def test_a_declared_length_above_the_limit_is_refused_unread(declared: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    with pytest.raises(RequestError, match="at most"):
        asyncio.run(read(never(), declared))


def test_health_is_told_while_the_model_computes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    right = Loaded.predict

    def slow(self: Loaded, instances: list[Any]) -> list[dict[str, Any]]:
        begun.set()
        assert go_on.wait(30)
        return right(self, instances)

    monkeypatch.setattr(Loaded, "predict", slow)

    async def go() -> tuple[int, bool, int]:
        path = "/v1/models/mlp:predict"
        task = asyncio.ensure_future(request(service, "POST", path, body(GOOD["mlp"])))
        await asyncio.to_thread(begun.wait, 30)
        health = await request(service, "GET", "/v1/health")
        still = not task.done()
        go_on.set()
        return health.status, still, (await task).status

    assert asyncio.run(go()) == (200, True, 200)


def test_a_request_whose_client_has_gone_is_not_computed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    right = Loaded.predict

    def predict(self: Loaded, instances: list[Any]) -> list[dict[str, Any]]:
        seen.extend(instances)
        return right(self, instances)

    monkeypatch.setattr(Loaded, "predict", predict)

    async def go() -> None:
        asked: list[Call] = []

        async def wait(called: Call) -> Answer:
            asked.append(called)
            await asyncio.Event().wait()
            raise AssertionError

        path = "/v1/models/mlp:predict"
        task = asyncio.ensure_future(request(service, "POST", path, body([[7, 7, 7]]), wait))
        while not asked and not task.done():
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await service.batch(asked)

    asyncio.run(go())
    assert seen == []
    assert service.backlog.seconds() == 0
