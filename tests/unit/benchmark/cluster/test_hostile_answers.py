"""Documents of programs on the nodes, where a job may answer in their place: none ends a command."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.cluster import ray_api, replicas
from benchmark.cluster.connection import Connection, predict
from benchmark.core.documents import get_json
from benchmark.core.errors import BenchmarkError, MissingError, StackError
from benchmark.core.store import DirectoryStore

DEEP = b"[" * 100_000


def answering(body: bytes) -> Connection:
    return cast(Connection, SimpleNamespace(call=lambda *_: (200, body)))


@pytest.mark.parametrize("body", [DEEP, b"[]", b"5", b"{", b"\xff"])
def test_what_is_no_prediction_is_an_error_of_the_stack(body: bytes) -> None:
    with pytest.raises(StackError):
        predict(answering(body), "mlp", [[0.0]])


@pytest.mark.parametrize("body", [DEEP, b"{}", b'{"models": [5]}', b'{"models": 5}', b'{"failed": 5}'])
def test_what_lists_no_models_is_no_answer(body: bytes) -> None:
    with pytest.raises(BenchmarkError, match="still not the new models"):
        replicas.await_models(answering(body), {"mlp": {}}, timeout_s=0)


def test_a_line_of_a_log_that_is_nested_without_end_carries_no_message() -> None:
    assert ray_api.message_of('@progress {"a": ' + "[" * 100_000 + "}") is None


def test_a_line_of_a_log_may_carry_a_message() -> None:
    assert ray_api.message_of(f"(pid=1) @error {json.dumps({'message': 'x'})}") == ("error", {"message": "x"})


def test_an_object_that_is_nested_without_end_is_not_json(tmp_path: Any) -> None:
    store = DirectoryStore(tmp_path)
    store.put("models/a/model.json", DEEP)
    with pytest.raises(MissingError, match="is not JSON"):
        get_json(store, "models/a/model.json")
