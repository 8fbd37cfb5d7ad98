"""The answer of a restored model, offline: the same as the live one, and a fault where it cannot be."""

from __future__ import annotations

import json

import pytest

from benchmark.core.store import DirectoryStore
from benchmark.serving import predict_once, recorded
from benchmark.serving.app import Router
from benchmark.serving.batches import compute
from benchmark.serving.settings import Arguments
from tests.unit.benchmark.served import prediction


def test_it_answers_as_the_service_does(store: DirectoryStore, arguments: Arguments) -> None:
    found = predict_once.answers(store.root)
    assert found["faults"] == {}
    router = Router(arguments)
    for model in found["models"]:
        body = json.dumps({"instances": model["instances"]}).encode()
        call = prediction(router, model["model"], body)
        (answer,) = compute([call], router.metrics)
        live = json.loads(answer.body)["predictions"]
        assert [a["label"] for a in live] == [a["label"] for a in model["predictions"]]
        for one, other in zip(live, model["predictions"], strict=True):
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
    assert {model["model"] for model in found["models"]} == set(arguments.models)


def test_it_is_asked_what_the_served_model_was_asked(store: DirectoryStore, arguments: Arguments) -> None:
    name, model = next(iter(arguments.models.items()))
    asked = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"])])["models"][0]
    one, answer = asked["instances"][:1], [{"label": 0, "probabilities": [1.0]}]
    recorded.write(
        store,
        sha256=model["sha256"],
        asked=one,
        predictions=answer,
        at="2026-01-31T00:00:00+00:00",
    )
    (found,) = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"])])["models"]
    assert (found["instances"], found["recorded"]) == (one, answer)
    assert len(found["predictions"]) == 1


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"schema": "aidc.answer/1", "sha256": "other"}'])
def test_what_is_no_answer_of_these_weights_is_not_compared(
    store: DirectoryStore, arguments: Arguments, content: str
) -> None:
    name, model = next(iter(arguments.models.items()))
    store.put(recorded.key(model["sha256"]), content.encode())
    (found,) = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"])])["models"]
    assert found["recorded"] is None


def test_changed_weights_are_a_fault_of_that_model_alone(store: DirectoryStore, arguments: Arguments) -> None:
    name, model = next(iter(arguments.models.items()))
    key = json.loads(store.get(model["card"]))["key"]
    data = store.get(key)
    store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    found = predict_once.answers(store.root)
    assert len(found["models"]) == len(arguments.models) - 1
    assert "corrupt or replaced" in found["faults"][name]


@pytest.mark.parametrize(
    ("content", "fault"), [(None, "no such object"), ("[]", "AttributeError"), ("{}", "sha256: is None")]
)
def test_a_card_that_is_missing_or_is_none_is_a_fault(
    store: DirectoryStore, arguments: Arguments, content: str | None, fault: str
) -> None:
    name, model = next(iter(arguments.models.items()))
    if content is None:
        (store.root / model["card"]).unlink()
    else:
        store.put(model["card"], content.encode())
    found = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"], model["card"])])
    assert found["models"] == []
    assert fault in found["faults"][name]


def test_a_hash_that_is_not_there_is_a_fault(
    store: DirectoryStore, arguments: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_once.main([str(store.root), "--model", f"mlp:{'f' * 64}"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"models": [], "faults": {"mlp": f"sha256 {'f' * 16}…: no card names it"}}


@pytest.mark.parametrize("text", ["mlp", ":ab", "mlp:"])
def test_a_model_without_name_or_hash_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        predict_once.main(["folder", "--model", text])
    assert "NAME:SHA256" in capsys.readouterr().err
