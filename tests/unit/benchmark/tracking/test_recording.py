"""A result in MLflow: which runs it becomes, and that recording it again changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.cluster import mlflow_api
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import MlflowError
from benchmark.tracking import rows
from benchmark.tracking.recording import Recorder
from tests.unit.benchmark.fake_mlflow import FakeMlflow


def test_each_seed_is_below_its_workload_below_the_run(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    place = Recorder(client).record(complete)
    tags = {i: run["tags"] for i, run in server.runs.items()}
    parts = {t[rows.PART]: i for i, t in tags.items()}
    assert place["run"] == parts["run"]
    assert tags[parts["mlp"]][rows.PARENT] == parts["run"]
    assert tags[parts["mlp/seed-1"]][rows.PARENT] == parts["mlp"]
    seeds = [f"{r['workload']}/seed-{r['seed']}" for r in complete["training"]]
    assert set(parts) == {"run", *complete["configuration"]["workloads"], *seeds}


def test_losses_and_quality_are_recorded_by_step(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    Recorder(client).record(complete)
    run = complete["training"][0]
    part = rows.seed_part(run["workload"], run["seed"])
    (recorded,) = [r for r in server.runs.values() if r["tags"][rows.PART] == part]
    metrics = [dict(m) for m in recorded["metrics"]]
    losses = {m["step"]: m["value"] for m in metrics if m["key"] == "loss"}
    assert losses == {row["step"]: row["loss"] for row in run["losses"]}
    quality = {m["step"]: m["value"] for m in metrics if m["key"] == run["quality"]["metric"]}
    assert quality == {p["step"]: p["value"] for p in run["curve"]}


def test_recording_twice_makes_no_second_run_and_no_second_value(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    first = Recorder(client).record(complete)
    before = {i: (dict(r["params"]), set(r["metrics"])) for i, r in server.runs.items()}
    server.calls.clear()
    assert Recorder(client).record(complete) == first
    assert {i: (r["params"], r["metrics"]) for i, r in server.runs.items()} == before
    assert not [c for c in server.calls if c.endswith(("create", "log-batch"))]


def test_a_recording_that_broke_off_is_completed(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    path = "/api/2.0/mlflow/runs/log-batch"
    server.refuse[path] = [400]
    with pytest.raises(MlflowError, match="not now"):
        Recorder(client).record(complete)
    Recorder(client).record(complete)
    parts = [r["tags"][rows.PART] for r in server.runs.values()]
    assert len(parts) == len(set(parts)) == len(rows.rows(complete))
    assert all(r["tags"].get(rows.DIGEST) for r in server.runs.values())


def test_a_run_as_it_goes_is_running_and_ends(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    recorder = Recorder(client)
    unfinished = {**complete, "finished": None, "complete": False, "training": complete["training"][:1]}
    parent = recorder.record(unfinished)["run"]
    assert server.runs[parent]["info"]["status"] == "RUNNING"
    recorder.record({**complete, "finished": complete["started"]})
    assert server.runs[parent]["info"]["status"] == "FINISHED"


def test_verdicts_and_image_digests_are_tags(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any]
) -> None:
    complete["environment"]["images"] = {"ray-head": "aidc-compute:0123456789ab"}
    parent = Recorder(client).record(complete)["run"]
    tags = server.runs[parent]["tags"]
    assert tags["image.compute"] == "aidc-compute:0123456789ab"
    (verdict,) = [v for v in complete["verdicts"] if v["name"] == "quality of mlp"]
    assert tags["verdict.quality of mlp"] == f"{verdict['verdict']}: {verdict['actual']}"


def test_a_workload_has_no_verdicts_of_one_whose_name_begins_like_its_own(complete: dict[str, Any]) -> None:
    complete["verdicts"] = [{"name": "quality of mlp-wide"}, {"name": "not waiting for data: mlp"}]
    assert [v["name"] for v in rows.verdicts_on(complete, "mlp")] == ["not waiting for data: mlp"]


def test_files_are_attached_to_the_run(
    client: MlflowClient, server: FakeMlflow, complete: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "result.json").write_text("{}")
    recorder = Recorder(client)
    parent = recorder.record(complete)["run"]
    recorder.attach(complete, tmp_path)
    assert server.artefacts[f"2/{parent}/artifacts/result.json"] == b"{}"
    assert {path.rpartition("/")[2] for path in server.artefacts} == {"result.json", "configuration.json"}


def test_a_busy_server_is_asked_again(
    client: MlflowClient, server: FakeMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_api, "PAUSES_S", (0.0, 0.0))
    path = "/api/2.0/mlflow/experiments/get-by-name"
    server.refuse[path] = [429, 503]
    assert client.ensure_experiment("benchmark") == "2"
    server.refuse[path] = [503, 503, 503]
    with pytest.raises(MlflowError, match="503"):
        client.experiment("benchmark")


def test_an_error_names_no_password(client: MlflowClient, server: FakeMlflow) -> None:
    server.refuse["/api/2.0/mlflow/experiments/get-by-name"] = [401]
    with pytest.raises(MlflowError) as found:
        client.experiment("benchmark")
    assert "check the password" in str(found.value)
    assert "secret" not in str(found.value)
