"""Faults on the live stack: training goes on after its worker was killed, serving while a replica is."""

import json
from typing import Any

import pytest

from tests.acceptance.conftest import OUT, benchmark


@pytest.fixture(scope="module")
def training() -> dict[str, Any]:
    """`faults.json` of a short training whose first rank is killed between two checkpoints."""
    (OUT / "faults.json").unlink(missing_ok=True)
    arguments = ["--tier", "smoke", "--workload", "bytelm", "--steps", "60", "--checkpoint-every", "10"]
    benchmark("faults", "--case", "worker", *arguments)
    return dict(json.loads((OUT / "faults.json").read_text()))


@pytest.fixture(scope="module")
def serving(result: dict[str, Any]) -> dict[str, Any]:
    """`resilience.json`: a replica is killed and a model rolled out while requests come in."""
    assert result["serving"]
    (OUT / "resilience.json").unlink(missing_ok=True)
    benchmark("resilience", "--workload", "mlp", "--rate", "20")
    return dict(json.loads((OUT / "resilience.json").read_text()))


def test_training_goes_on_from_its_last_checkpoint(training: dict[str, Any]) -> None:
    (case,) = training["recovery"]["cases"]
    (fault,) = case["faults"]
    assert case["problem"] is None
    assert fault["resumed_from"] >= fault["last_checkpoint"] >= 10


def test_training_ends_as_good_as_undisturbed(training: dict[str, Any]) -> None:
    (case,) = training["recovery"]["cases"]
    assert abs(case["difference"]) <= training["recovery"]["tolerance"]


@pytest.mark.parametrize("fault", ["kill", "update"])
def test_no_request_fails(serving: dict[str, Any], fault: str) -> None:
    assert serving["errors"] == []
    assert serving[fault]["samples"] > 0
    assert serving[fault]["failures"] == []
