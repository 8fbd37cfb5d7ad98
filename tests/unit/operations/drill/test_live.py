"""What answers in a replica's place, as a job on a node may, ends no drill."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.cluster.connection import Connection
from operations.drill.live import Live
from operations.drill.predictions import wanted

SHA = "ab" * 32


def live(listed: bytes, answer: bytes = b"{}") -> Live:
    """As the stack's replicas answer."""

    def call(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        return 200, listed if method == "GET" else answer

    found = Live.__new__(Live)
    found.connection = cast(Connection, SimpleNamespace(call=call))
    return found


def serving(**models: Any) -> bytes:
    return json.dumps({"models": [{"workload": k, "sha256": v} for k, v in models.items()]}).encode()


@pytest.mark.parametrize("listed", [b"", b"5", b"[" * 100_000, b'{"models": 5}', b'{"models": [5]}'])
def test_what_lists_no_models_serves_none(listed: bytes) -> None:
    assert live(listed).served() == {}


def test_names_that_are_none_are_asked_for_all_the_same() -> None:
    odd = b'{"models": [{"workload": 5, "sha256": 5}, {"workload": "a", "sha256": "b"}]}'
    assert [w.model for w in wanted([], live(odd).served())] == ["5", "a"]


@pytest.mark.parametrize("predictions", [None, 5, "text", {"0": 1}])
def test_an_answer_without_a_list_of_predictions_is_none(predictions: Any) -> None:
    answer = json.dumps({"model_sha256": SHA, "predictions": predictions}).encode()
    asked: Any = [{"model": "mlp", "sha256": SHA, "instances": [[0]]}]
    assert live(serving(mlp=SHA), answer).answers(asked) == {}


def test_the_answer_of_the_same_weights_counts() -> None:
    answer = json.dumps({"model_sha256": SHA, "predictions": [1]}).encode()
    asked: Any = [{"model": "mlp", "sha256": SHA, "instances": [[0]]}]
    assert live(serving(mlp=SHA), answer).answers(asked) == {"mlp": [1]}
