"""What a champion answers is recorded when it is served: its own answer, and never in the promotion's way."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.checkpoints.artefact import card_digest, card_key
from benchmark.checkpoints.loading import config_of
from benchmark.cluster import stack as stacks
from benchmark.cluster.connection import Endpoint
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.commands import promote, serve
from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import BenchmarkError, StackError, StoreError
from benchmark.core.store import DirectoryStore
from benchmark.serving import app, predict_once, recorded
from benchmark.serving.admit import admit
from benchmark.serving.requests import RequestError
from benchmark.serving.settings import Arguments
from benchmark.tracking import admission, answers, lock, promotion, registry, rollout, serving_record
from benchmark.tracking.serving_record import Entry, State
from tests.unit.benchmark import own_model, served
from tests.unit.benchmark.fake_mlflow import FakeMlflow


def nested(depth: int) -> Any:
    found: Any = 1.0
    for _ in range(depth):
        found = [found]
    return [found] * recorded.INSTANCES


MODELS = ("mlp", "digits", "bytelm", "sums")
Predict = Callable[[Any, str, Sequence[Any]], dict[str, Any]]


@pytest.fixture
def arguments(store: DirectoryStore, tmp_path: Path) -> Arguments:
    """The workloads' models, and one of a user's own."""
    card = admit(store, "sums", "1", own_model.folder(tmp_path / "mlflow", own_model.exported(2.0)))
    own = {"card": card_key(card), "sha256": str(card["sha256"])}
    return Arguments(models={**served.saved(store).models, "sums": own}, store=str(store.root))


@pytest.fixture
def stack(store: DirectoryStore) -> Any:
    return SimpleNamespace(name="s", store=lambda: store, inference=lambda: Endpoint("http://127.0.0.1:9"))


@pytest.fixture
def client(client: MlflowClient, arguments: Arguments) -> MlflowClient:
    """By its record the first version of each model is the champion."""
    record = serving_record.read(client)
    for name, model in arguments.models.items():
        state = State(champion=Entry(version=1, card=model["card"], sha256=model["sha256"]))
        serving_record.serve(client, record, name, state, "by a test")
    return client


@pytest.fixture(autouse=True)
def predict(arguments: Arguments, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """The service, without HTTP."""
    router = app.Router(arguments)

    def ask(_connection: Any, model: str, instances: Sequence[Any]) -> dict[str, Any]:
        body = json.dumps({"instances": list(instances)}).encode()
        try:
            return served.computed(router, [served.prediction(router, model, body)])[0]
        except RequestError as error:
            raise StackError(str(error)) from error

    monkeypatch.setattr(answers, "predict", ask)
    monkeypatch.setattr(answers, "PAUSE_S", 0)
    return ask


def digest(client: MlflowClient, arguments: Arguments, model: str) -> str | None:
    found: Mapping[tuple[str, str], str] = serving_record.read(client).answers
    return found.get((model, arguments.models[model]["sha256"]))


@pytest.fixture
def ask(
    stack: Any, client: MlflowClient, store: DirectoryStore, arguments: Arguments
) -> Callable[[str], Mapping[str, Any]]:
    """What is recorded of a model then, without a warning."""

    def recorded_of(model: str) -> Mapping[str, Any]:
        assert keep(stack, client, model) == []
        kept = digest(client, arguments, model)
        found = recorded.named(store, arguments.models[model]["sha256"], str(kept))
        assert found is not None
        return found

    return recorded_of


def keep(stack: Any, client: MlflowClient, *models: str) -> list[str]:
    """What is said."""
    said: list[str] = []
    answers.keep(stack, client, models, answers.again(stack), said.append)
    return said


@pytest.mark.parametrize("model", MODELS)
def test_the_restored_model_is_compared_with_the_answer_that_the_record_names(
    stack: Any, client: MlflowClient, store: DirectoryStore, arguments: Arguments, model: str
) -> None:
    assert keep(stack, client, model) == []
    told = arguments.models[model]
    answer = digest(client, arguments, model)
    (found,) = predict_once.answers(
        store.root, [predict_once.wanted(f"{model}:{told['sha256']}:{told['card']}@{answer}")]
    )["models"]
    assert (found["named"], found["replaced"], found["missing"]) == (True, None, None)
    assert len(found["recorded"]) == recorded.INSTANCES
    assert found["recorded"] == found["predictions"]


def test_the_record_names_model_version_and_weights(
    stack: Any, client: MlflowClient, server: FakeMlflow, arguments: Arguments
) -> None:
    keep(stack, client, "sums")
    tags = list(server.runs.values())[-1]["tags"]
    state = json.loads(tags[serving_record.STATE])
    assert (tags[serving_record.KIND], tags[serving_record.MODEL]) == ("answered", "sums")
    assert (state["version"], state["sha256"]) == (1, arguments.models["sums"]["sha256"])


def test_a_users_model_is_asked_more_than_zeros(ask: Callable[[str], Mapping[str, Any]]) -> None:
    assert len({json.dumps(p) for p in ask("sums")["predictions"]}) == recorded.INSTANCES


@pytest.mark.parametrize("nothing", [math.nan, None])
def test_one_that_answers_zeros_alone_is_asked_zeros(
    ask: Callable[[str], Mapping[str, Any]],
    predict: Predict,
    monkeypatch: pytest.MonkeyPatch,
    nothing: float | None,
) -> None:
    """Whether it refuses the others or answers them with what is no number."""
    zeros = {"x": [0.0, 0.0, 0.0]}

    def only_zeros(connection: Any, model: str, asked: Sequence[Any]) -> dict[str, Any]:
        found = predict(connection, model, asked)
        if asked[-1] != zeros and nothing is None:
            raise StackError("status 500")
        return found if asked[-1] == zeros else {**found, "predictions": [[nothing]] * len(asked)}

    monkeypatch.setattr(answers, "predict", only_zeros)
    assert ask("sums")["instances"] == [zeros] * recorded.INSTANCES


def test_a_canary_s_answer_is_not_the_champion_s(
    ask: Callable[[str], Mapping[str, Any]], predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter([True, True, False])

    def shared(connection: Any, model: str, asked: Sequence[Any]) -> dict[str, Any]:
        canary = {"model_sha256": "f" * 64, "predictions": [[7.0]] * len(asked)}
        return canary if next(turns) else predict(connection, model, asked)

    monkeypatch.setattr(answers, "predict", shared)
    assert [7.0] not in ask("sums")["predictions"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"model_sha256": "f" * 64, "predictions": [[7.0]]}, "answered by other weights"),
        (StackError("status 503: busy"), "status 503: busy"),
        ({"predictions": "none"}, "not one prediction for each instance"),
        ({"predictions": [[7.0]] * 3}, "not one prediction for each instance"),
        ({"predictions": [[math.inf]] * 4}, "no finite number"),
    ],
    ids=["canary", "refused", "no list", "too few", "infinite"],
)
def test_what_is_no_answer_of_the_champion_is_told_with_what_helps_and_not_recorded(
    stack: Any, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, answer: Any, why: str
) -> None:
    champion = serving_record.read(client).state("digits").champion

    def other(*_: Any) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        assert champion is not None
        return {"model_sha256": champion.sha256, **answer}

    monkeypatch.setattr(answers, "predict", other)
    (said,) = keep(stack, client, "digits")
    assert said.startswith("digits: is served, but what it answers could not be recorded")
    assert why in said
    assert said.endswith("fix: `make promote MODEL=digits VERSION=champion STACK=s`")
    assert serving_record.read(client).answers == {}
    assert stack.store().list("results/answers/") == []


def test_what_is_no_champion_by_the_record_has_no_answer(stack: Any, client: MlflowClient) -> None:
    assert "no version of it is the champion" in keep(stack, client, "unknown")[0]


def test_the_same_answer_is_recorded_once(stack: Any, client: MlflowClient, server: FakeMlflow) -> None:
    keep(stack, client, *MODELS)
    before = len(server.runs)
    keep(stack, client, *MODELS)
    assert len(server.runs) == before


def test_champions_without_an_answer_are_found(
    stack: Any, client: MlflowClient, arguments: Arguments
) -> None:
    hashes = {name: model["sha256"] for name, model in arguments.models.items()}
    keep(stack, client, "mlp")
    assert answers.unanswered(client, {**hashes, "digits": "f" * 64}) == ["bytelm", "sums"]


def test_without_mlflow_the_answer_lies_under_the_hash_of_the_weights(
    stack: Any, store: DirectoryStore, arguments: Arguments
) -> None:
    model = arguments.models["digits"]
    answers.keep_unnamed(stack, "digits", model["card"], model["sha256"], print)
    (found,) = predict_once.answers(store.root, [predict_once.Wanted("digits", model["sha256"])])["models"]
    assert (found["named"], found["recorded"]) == (False, found["predictions"])


def full(*_: Any) -> None:
    raise StoreError("results: the bucket is full")


@pytest.fixture
def promoted(stack: Any, client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was rolled out, without replicas."""
    done: list[str] = []
    version = SimpleNamespace(model="sums", number=1, admitted=True, served={"sha256": "f" * 64})
    monkeypatch.setattr(registry, "choose", lambda *_: version)
    monkeypatch.setattr(promote, "registry_of", lambda _: client)
    monkeypatch.setattr(lock, "hold", lambda *_: contextlib.nullcontext())

    def promoted(*_: Any) -> bool:
        done.append("champion")
        return True

    monkeypatch.setattr(promotion, "promote", promoted)
    monkeypatch.setattr(promotion, "may_share", lambda *_: None)
    monkeypatch.setattr(promotion, "try_beside", lambda *_: done.append("canary"))
    return done


def test_a_promotion_records_the_answer(
    stack: Any, client: MlflowClient, arguments: Arguments, promoted: list[str]
) -> None:
    assert promote.change(stack, "sums", "1", "promote") == 0
    assert digest(client, arguments, "sums")


def test_a_promotion_stands_where_recording_fails(
    stack: Any,
    promoted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(DirectoryStore, "put", full)
    assert promote.change(stack, "sums", "1", "promote") == 0
    assert promoted == ["champion"]
    told = capsys.readouterr()
    assert "could not be recorded" in told.out + told.err
    assert "the bucket is full" in told.out + told.err


def test_a_share_records_nothing(
    stack: Any, client: MlflowClient, arguments: Arguments, promoted: list[str]
) -> None:
    promote.change(stack, "sums", "1", "promote", share=10)
    assert promoted == ["canary"]
    assert digest(client, arguments, "sums") is None


def test_a_share_that_cannot_be_is_refused_before_the_version_is_checked(
    stack: Any, promoted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StackError("no version is the champion yet")

    version = SimpleNamespace(model="sums", number=1, admitted=False, served={"sha256": "f" * 64})
    monkeypatch.setattr(registry, "choose", lambda *_: version)
    monkeypatch.setattr(promotion, "may_share", refuse)
    monkeypatch.setattr(admission, "admit", lambda *_: promoted.append("checked"))
    with pytest.raises(StackError, match="no version is the champion yet"):
        promote.change(stack, "sums", "1", "promote", share=10)
    assert promoted == []


def test_serving_all_records_each_champion_s_answer(
    stack: Any,
    client: MlflowClient,
    arguments: Arguments,
    promoted: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    canary = {"sums@canary": {**arguments.models["digits"], "share": "10"}}
    monkeypatch.setattr(stacks, "read", lambda *_: stack)
    monkeypatch.setattr(serve, "registry_of", lambda _: client)
    monkeypatch.setattr(rollout, "champions", lambda _: {**arguments.models, **canary})
    monkeypatch.setattr(rollout, "usable", lambda _store, models, _say: models)
    monkeypatch.setattr(rollout, "put_in_service", lambda *_: None)
    assert serve.main(argparse.Namespace(stack="s", inventory=None, access=None)) == 0
    assert {name for name, _ in serving_record.read(client).answers} == set(MODELS)


def test_a_card_that_is_none_says_so(store: DirectoryStore, stack: Any, client: MlflowClient) -> None:
    store.put("models/sums/none.json", b"{}")
    with pytest.raises(BenchmarkError, match=r"none\.json: does not say what its model takes"):
        config_of(get_json(store, "models/sums/none.json"), "models/sums/none.json")


def test_a_card_that_was_replaced_since_is_not_asked_after(
    stack: Any, client: MlflowClient, store: DirectoryStore, arguments: Arguments
) -> None:
    told, record = arguments.models["sums"], serving_record.read(client)
    admitted = card_digest(get_json(store, told["card"]))
    entry = Entry(version=1, card=told["card"], sha256=told["sha256"], card_sha256=admitted)
    serving_record.serve(client, record, "sums", record.state("sums").promoted(entry), "by a test")
    assert keep(stack, client, "sums") == []
    put_json(store, told["card"], {**get_json(store, told["card"]), "more": 1})
    (said,) = keep(stack, client, "sums")
    assert "has another hash than when it was admitted" in said


VAST = {"name": "x", "dtype": "float32", "shape": [1 << 40]}


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "exported", "inputs": [VAST], "named": False},
        {"kind": "exported", "inputs": [{**VAST, "shape": [1] * 2000}], "named": False},
        {"kind": "exported", "inputs": [{**VAST, "shape": [1]}] * 100, "named": True},
        {"kind": "mlp", "inputs": 1 << 40, "hidden": [1], "classes": 2},
    ],
)
def test_a_card_that_asks_for_more_than_a_request_holds_is_none(model: Mapping[str, Any]) -> None:
    with pytest.raises(BenchmarkError, match=r"values an instance|does not say what its model takes"):
        config_of({"model": model}, "models/sums/vast.json")


@pytest.mark.parametrize("predictions", [nested(3000), [math.nan], 5])
def test_what_a_node_answers_in_a_replica_s_place_ends_no_promotion(
    stack: Any, client: MlflowClient, arguments: Arguments, monkeypatch: pytest.MonkeyPatch, predictions: Any
) -> None:
    told = {"model_sha256": arguments.models["mlp"]["sha256"], "predictions": predictions}
    monkeypatch.setattr(answers, "predict", lambda *_: told)
    (said,) = keep(stack, client, "mlp")
    assert "is served, but what it answers could not be recorded" in said
