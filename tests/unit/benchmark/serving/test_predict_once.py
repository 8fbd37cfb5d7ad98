"""The answer of a restored model, offline: the same as the live one, and a fault where it cannot be."""

from __future__ import annotations

import hashlib
import json

import pytest

from benchmark.core.documents import put_json
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
    kept = recorded.write(store, sha256=model["sha256"], asked=one, predictions=answer)
    wanted = predict_once.Wanted(name, model["sha256"], answer=kept)
    (found,) = predict_once.answers(store.root, [wanted])["models"]
    assert (found["instances"], found["recorded"]) == (one, answer)
    assert len(found["predictions"]) == 1


def test_an_answer_of_an_earlier_version_is_read_as_well(store: DirectoryStore, arguments: Arguments) -> None:
    name, model = next(iter(arguments.models.items()))
    answer = [{"label": 0, "probabilities": [1.0]}]
    told = {"schema": "aidc.answer/1", "sha256": model["sha256"], "asked": "2026-01-31T00:00:00+00:00",
            "instances": [[0, 0, 0]], "predictions": answer}  # fmt: skip
    put_json(store, f"results/answers/{model['sha256']}.json", told)
    (found,) = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"])])["models"]
    assert (found["recorded"], found["named"]) == (answer, False)


def test_one_that_a_job_put_there_is_not_taken_for_the_one_that_is_named(
    store: DirectoryStore, arguments: Arguments
) -> None:
    name, model = next(iter(arguments.models.items()))
    sha256 = model["sha256"]
    kept = recorded.write(store, sha256=sha256, asked=[[0, 0, 0]], predictions=[{"label": 0}])
    forged = recorded.content(sha256, [[0, 0, 0]], [{"label": 1}])
    store.put(recorded.key(sha256, kept), forged)
    store.put(recorded.key(sha256), forged)
    (found,) = predict_once.answers(store.root, [predict_once.Wanted(name, sha256, answer=kept)])["models"]
    assert found["recorded"] is None
    assert found["replaced"].startswith(f"results/answers/{sha256}/{kept}.json: sha256: ")


def test_one_that_is_named_and_is_no_answer_is_not_believed(
    store: DirectoryStore, arguments: Arguments
) -> None:
    name, model = next(iter(arguments.models.items()))
    digest = hashlib.sha256(b"[]").hexdigest()
    store.put(recorded.key(model["sha256"], digest), b"[]")
    wanted = predict_once.Wanted(name, model["sha256"], answer=digest)
    (found,) = predict_once.answers(store.root, [wanted])["models"]
    assert "is no answer of the weights" in found["replaced"]


def test_one_that_is_named_and_gone_is_missing(store: DirectoryStore, arguments: Arguments) -> None:
    name, model = next(iter(arguments.models.items()))
    recorded.write_unnamed(store, sha256=model["sha256"], asked=[[0, 0, 0]], predictions=[{"label": 1}])
    wanted = predict_once.Wanted(name, model["sha256"], answer="e" * 64)
    (found,) = predict_once.answers(store.root, [wanted])["models"]
    assert (found["recorded"], found["missing"]) == (None, recorded.key(model["sha256"], "e" * 64))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mlp:ab", ("mlp", "ab", "", "")),
        ("mlp:ab:models/a:b@c/model.json", ("mlp", "ab", "models/a:b@c/model.json", "")),
        (f"mlp:ab:models/a/model.json@{'0' * 64}", ("mlp", "ab", "models/a/model.json", "0" * 64)),
        (f"mlp:ab@{'0' * 64}", ("mlp", "ab", "", "0" * 64)),
    ],
)
def test_a_model_is_named_with_card_and_answer(text: str, expected: tuple[str, ...]) -> None:
    assert predict_once.wanted(text) == expected


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


def test_a_request_that_a_job_kept_and_no_model_takes_is_a_fault_of_that_model(
    store: DirectoryStore, arguments: Arguments
) -> None:
    name, model = next(iter(arguments.models.items()))
    store.put(recorded.key(model["sha256"]), recorded.content(model["sha256"], [[10**400] * 10], [1]))
    found = predict_once.answers(store.root, [predict_once.Wanted(name, model["sha256"])])
    assert list(found["faults"]) == [name]
