"""Runs of other checkouts: listed, and fetched when they are wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError
from benchmark.tracking import history
from benchmark.tracking.recording import Recorder


@pytest.fixture
def recorded(client: MlflowClient, complete: dict[str, Any], tmp_path: Path) -> MlflowClient:
    """Three runs of this stack, each with its result."""
    for number in range(3):
        result = {**complete, "run_id": f"2026010{number + 1}-000000"}
        (tmp_path / "result.json").write_text(json.dumps(result))
        recorder = Recorder(client)
        recorder.record(result)
        recorder.attach(result, tmp_path)
    return client


def test_a_recorded_run_is_listed_like_one_of_this_machine(
    recorded: MlflowClient, complete: dict[str, Any], tmp_path: Path
) -> None:
    there = history.recorded(recorded, complete["stack"])
    assert list(there) == ["20260103-000000", "20260102-000000", "20260101-000000"]
    result = {**complete, "run_id": "20260102-000000"}
    here = runs.row(tmp_path / "20260102-000000", result)
    assert {**history.row(there["20260102-000000"]), "path": here["path"]} == here


def test_runs_of_another_stack_are_not_listed(recorded: MlflowClient) -> None:
    assert history.recorded(recorded, "other") == {}


def test_a_run_of_both_is_listed_once_with_its_path() -> None:
    there = [{"run": r, "started": r, "path": "MLflow"} for r in ("1", "3")]
    found = history.merged([{"run": "1", "started": "1", "path": "out/1"}], there)
    assert [(r["run"], r["path"]) for r in found] == [("3", "MLflow"), ("1", "out/1")]


def test_the_result_of_a_run_is_fetched_into_its_folder(
    recorded: MlflowClient, complete: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "fresh"
    path = history.result_of(recorded, complete["stack"], out, "20260102-000000")
    assert path == out / "runs" / "20260102-000000" / "result.json"
    assert results.load(path)["run_id"] == "20260102-000000"
    assert history.result_of(None, complete["stack"], out, "20260102-000000") == path


def test_an_unknown_run_is_told_with_one_like_it(
    recorded: MlflowClient, complete: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"neither in .* nor in MLflow; did you mean '20260102-000000'"):
        history.result_of(recorded, complete["stack"], tmp_path / "fresh", "20260102-00000")
