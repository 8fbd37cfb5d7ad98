"""The answer of a restored model, offline: the same as the live one, and a fault where it cannot be."""

from __future__ import annotations

import copy
import json

import pytest

from benchmark.core.store import DirectoryStore
from benchmark.serving import predict_once
from benchmark.serving.app import Router
from benchmark.serving.batches import compute
from benchmark.serving.settings import Arguments


def test_it_answers_as_the_service_does(store: DirectoryStore, arguments: Arguments) -> None:
    found = predict_once.answers(store.root)
    assert found["faults"] == []
    router = Router(arguments)
    live = {}
    for model in found["models"]:
        body = json.dumps({"instances": model["instances"]}).encode()
        call = router.route("POST", f"/v1/models/{model['workload']}:predict", body)
        (answer,) = compute([call], router.metrics)
        live[model["workload"]] = json.loads(answer.body)["predictions"]
    assert set(live) == set(arguments.models)
    assert predict_once.differences(found["models"], live) == []
    other = copy.deepcopy(live)
    name = next(iter(other))
    other[name][0]["probabilities"][0] += 0.01
    (difference,) = predict_once.differences(found["models"], other)
    assert difference.startswith(f"{name}: instances[0]")


def test_changed_weights_are_a_fault(store: DirectoryStore, arguments: Arguments) -> None:
    key = json.loads(store.get(next(iter(arguments.models.values()))["card"]))["key"]
    data = store.get(key)
    store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    found = predict_once.answers(store.root)
    assert len(found["models"]) == len(arguments.models) - 1
    assert "corrupt or replaced" in found["faults"][0]


def test_a_hash_that_is_not_there_is_a_fault(
    store: DirectoryStore, arguments: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_once.main([str(store.root), "--sha256", "f" * 64]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found == {"models": [], "faults": [f"sha256 {'f' * 16}…: no card names it"]}
