"""The signature of a user's own model: several inputs, every type, and what a client may send."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.checkpoints.signature import OwnModel, Tensor, of_mlflow
from benchmark.core.errors import ConfigError

MODEL = OwnModel(
    kind="exported",
    named=True,
    inputs=(
        Tensor(name="ids", dtype="int64", shape=(2,)),
        Tensor(name="small", dtype="uint8"),
        Tensor(name="on", dtype="bool"),
        Tensor(name="grid", dtype="float64", shape=(1, 2)),
    ),
)
GOOD: dict[str, Any] = {"ids": [1.0, 2.0], "small": 255.0, "on": True, "grid": [[0.5, -1e300]]}


def test_what_fits_has_no_problem() -> None:
    assert MODEL.problem(GOOD) is None
    assert MODEL.problem(MODEL.zeros()) is None
    assert MODEL.values(GOOD) == [[1.0, 2.0], 255.0, True, [[0.5, -1e300]]]


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"ids": [1.0, 2.5]}, ".ids[1]", "int64, a whole number"),
        ({"ids": [1.0, 2.0**60]}, ".ids[1]", "int64, a whole number"),
        ({"ids": [1.0, float("inf")]}, ".ids[1]", "int64, a whole number"),
        ({"small": 256.0}, ".small", "uint8, a whole number from 0 to 255"),
        ({"small": -1.0}, ".small", "uint8, a whole number from 0 to 255"),
        ({"small": [1.0]}, ".small", "uint8"),
        ({"on": 1.0}, ".on", "bool"),
        ({"grid": [0.5, 1.0]}, ".grid", "a list of 1"),
        ({"grid": [[0.5]]}, ".grid[0]", "a list of 2"),
        ({"grid": [[0.5, float("nan")]]}, ".grid[0][1]", "a finite float64"),
        ({"more": 1.0}, ".more", "only ids, small, on, grid"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], field: str, expected: str) -> None:
    wrong = MODEL.problem({**GOOD, **change})
    assert wrong is not None
    assert wrong.field == field
    assert wrong.expected.startswith(expected)


def test_several_inputs_come_by_name() -> None:
    wrong = MODEL.problem([1.0])
    assert wrong is not None
    assert wrong.expected == "an object with ids, small, on, grid"


def test_all_mistakes_of_a_signature_are_told_at_once() -> None:
    inputs = (
        '[{"type": "tensor", "name": "a b", "tensor-spec": {"dtype": "float32", "shape": [-1]}},'
        ' {"type": "double", "name": "c"},'
        ' {"type": "tensor", "name": "d", "tensor-spec": {"dtype": "str", "shape": [-1]}}]'
    )
    with pytest.raises(ConfigError) as caught:
        of_mlflow({"inputs": inputs, "params": "[1]"}, "m version 1")
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    "given", [None, {}, {"inputs": "no"}, {"inputs": "[1]"}, {"inputs": 5}, {"inputs": "[]"}]
)
def test_a_signature_that_is_none_is_an_error_without_a_traceback(given: Any) -> None:
    with pytest.raises(ConfigError, match="signature"):
        of_mlflow(given, "m version 1")
