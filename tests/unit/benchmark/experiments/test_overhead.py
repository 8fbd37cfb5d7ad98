"""What the stack costs: both sides train the same seeds in turns, and pairs of them are judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import launch
from benchmark.cluster import stack as stacks
from benchmark.core.errors import StackError
from benchmark.core.store import DirectoryStore
from benchmark.experiments import overhead
from benchmark.training.spec import Spec
from tests.unit.benchmark.fakes import FakeStack, in_this_process

Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def turns() -> list[tuple[str, int]]:
    """Side and seed of every training, as they came."""
    return []


@pytest.fixture
def measured(
    tmp_path: Path,
    testdata: Path,
    store: DirectoryStore,
    turns: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> Measure:
    """The result of three rounds; `refused`: the run in the stack that gets no job."""

    def go(refused: int | None = None) -> dict[str, Any]:
        def in_stack(spec: Spec, ray: object, store: DirectoryStore, on_message: object) -> str | None:
            turns.append(("stack", spec.workload.seeds[0]))
            if spec.workload.seeds[0] == refused:
                raise StackError("no job today")
            return in_this_process(spec, ray, store, on_message)

        def on_host(spec: Spec, on_message: object) -> str | None:
            turns.append(("bare", spec.workload.seeds[0]))
            return in_this_process(spec, None, DirectoryStore(Path(spec.store)), on_message)

        monkeypatch.setattr(launch, "in_stack", in_stack)
        monkeypatch.setattr(launch, "on_host", on_host)
        monkeypatch.setattr(stacks, "read", lambda *_: FakeStack(store))
        files = [testdata / "valid-workload.yaml"]
        code = overhead.main(overhead.Options("fake", "smoke", files, tmp_path / "out", pairs=3))
        return {**results.load(runs.folders(tmp_path / "out")[0] / "result.json"), "code": code}

    return go


def cost(result: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = next(v for v in result["verdicts"] if v["name"].startswith("cost of the stack"))
    return found


def test_sides_take_turns_at_the_same_seeds(measured: Measure, turns: list[tuple[str, int]]) -> None:
    result = measured()
    assert turns == [("stack", 1), ("bare", 1), ("bare", 2), ("stack", 2), ("stack", 3), ("bare", 3)]
    assert [r["seed"] for r in result["training"]] == [r["seed"] for r in result["bare"]] == [1, 2, 3]


def test_both_sides_train_the_same_model(measured: Measure) -> None:
    result = measured()
    assert [r["losses"] for r in result["training"]] == [r["losses"] for r in result["bare"]]


def test_the_ratio_is_judged_by_pairs(measured: Measure) -> None:
    result = measured()
    assert result["complete"] is True
    assert "over 3 pairs" in cost(result)["actual"]


def test_a_round_that_fails_is_told_and_the_others_count(measured: Measure) -> None:
    result = measured(refused=2)
    assert (result["complete"], result["code"]) == (False, 1)
    assert [e["message"] for e in result["errors"]] == ["no job today"]
    assert "over 2 pairs" in cost(result)["actual"]
