"""A run beside a tracking server: recorded as it goes, and never lost with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import launch
from benchmark.cluster import stack as stacks
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.store import DirectoryStore
from benchmark.experiments import run
from tests.unit.benchmark.fake_mlflow import FakeMlflow, running
from tests.unit.benchmark.fakes import FakeStack, in_this_process


def bench(out: Path, testdata: Path, stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(launch, "in_stack", in_this_process)
    monkeypatch.setattr(stacks, "read", lambda *_: stack)
    run.main(run.Options("fake", "ci", [testdata / "valid-workload.yaml"], out))
    return results.load(runs.folders(out)[0] / "result.json")


def test_a_run_is_in_mlflow_with_its_result_and_the_report_links_to_it(
    tmp_path: Path, testdata: Path, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeMlflow()
    with running(server) as client:
        result = bench(tmp_path, testdata, FakeStack(store, client), monkeypatch)
    place = result["tracking"]
    assert place["problem"] is None
    kept = {path.rpartition("/")[2]: data for path, data in server.artefacts.items()}
    assert json.loads(kept["result.json"]) == result
    assert place["url"] in kept["report.html"].decode()
    assert [m["name"] for m in server.models.values()] == ["tiny"]


def test_without_an_answer_the_run_is_kept_and_says_how_to_make_up_for_it(
    tmp_path: Path,
    testdata: Path,
    store: DirectoryStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = MlflowClient("http://127.0.0.1:9", "benchmark", "secret")
    result = bench(tmp_path, testdata, FakeStack(store, nobody), monkeypatch)
    assert [r["seed"] for r in result["training"]] == [1, 2, 3]
    assert "cannot be reached" in result["tracking"]["problem"]
    told = capsys.readouterr().err
    assert f"`make record RUN={result['run_id']} STACK=fake` makes up for it" in told
    assert "secret" not in told
