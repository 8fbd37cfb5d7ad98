"""Runs and models in MLflow on the live stack: recorded, promoted under load, and refused when changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.cluster import replicas
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.stack import Stack
from benchmark.commands import models as listing
from benchmark.commands import promote
from benchmark.core.errors import CheckpointError, StackError
from benchmark.experiments.resilience import Load
from benchmark.experiments.served_models import request_bodies
from benchmark.tracking import lock, promotion, registering, registry, rows, serving_record
from benchmark.tracking.recording import Recorder, existing
from operations.__main__ import main as operations
from tests.acceptance.conftest import STACK

MODEL = "mlp"


@pytest.fixture
def second(stack: Stack, client: MlflowClient, result: dict[str, Any]) -> Iterator[registry.Version]:
    """A version of the model that is not served: that of another seed. Afterwards the old one is served."""
    run = next(r for r in result["training"] if r["workload"] == MODEL and r["seed"] != _first(result))
    parts = Recorder(client).record_ids(result)
    tags = registering.tags_of(result, run["model"])
    made = client.create_version(
        MODEL, f"s3://{run['model']['key']}", parts[rows.seed_part(MODEL, run["seed"])], tags
    )
    before = registry.with_alias(registry.catalogue(client)[MODEL], registry.CHAMPION)
    assert before is not None
    version = registry.Version(
        model=MODEL, number=int(made["version"]), tags=tags, created=str(made["creation_timestamp"])
    )
    serving_record.admit(client, serving_record.read(client), MODEL, version.entry, "of a test")
    yield version
    promote.change(stack, MODEL, str(before.number), "promote")


def _first(result: dict[str, Any]) -> int:
    return int(result["configuration"]["workloads"][MODEL]["seeds"][0])


def aliases(client: MlflowClient) -> dict[str, int]:
    return {a: v.number for v in registry.catalogue(client)[MODEL] for a in v.aliases}


def test_a_run_is_recorded_with_each_of_its_seeds(client: MlflowClient, result: dict[str, Any]) -> None:
    assert result["tracking"]["problem"] is None
    found = existing(client, result["tracking"]["experiment"], result["run_id"])
    assert set(found) == {row.part for row in rows.rows(result)}
    assert client.get_artefact(found[""], "report.html").startswith(b"<!doctype html>")


def test_the_served_model_is_the_champion(stack: Stack, client: MlflowClient, result: dict[str, Any]) -> None:
    champion = registry.with_alias(registry.catalogue(client)[MODEL], registry.CHAMPION)
    assert champion is not None
    assert (listing.served(stack) or {})[MODEL] == champion.tags[registry.SHA256]
    assert champion.tags["run"] == result["run_id"]


def test_a_drill_gets_the_same_answers_from_the_backup(result: dict[str, Any], tmp_path: Path) -> None:
    assert operations(["backup", "--stack", STACK]) == 0
    assert operations(["drill", "--stack", STACK, "--out", str(tmp_path)]) == 0
    models = json.loads((tmp_path / "drill.json").read_text())["models"]
    outcomes = {model["model"]: model["outcome"] for model in models}
    assert {name: outcomes.get(name) for name in result["configuration"]["workloads"]} == dict.fromkeys(
        result["configuration"]["workloads"], "equal"
    )


def test_promote_and_demote_under_load_without_a_failed_request(
    stack: Stack, client: MlflowClient, result: dict[str, Any], second: registry.Version
) -> None:
    settings = result["configuration"]["workloads"][MODEL]
    before = aliases(client)["champion"]

    def there_and_back(mark: Any) -> None:
        promote.change(stack, MODEL, str(second.number), "promote")
        assert aliases(client)["champion"] == second.number
        assert aliases(client)["previous"] == before
        promote.change(stack, MODEL, registry.PREVIOUS, "demote")

    load = Load(stack.inference(), MODEL, request_bodies(settings["model"]), 10.0)
    measured = load.during(there_and_back)
    assert measured["errors"] == 0, measured["failures"]
    assert second.tags["sha256"] in [v["sha256"] for v in measured["versions"]]
    assert aliases(client)["champion"] == before
    assert aliases(client)["previous"] == second.number


def test_weights_with_another_hash_are_refused_and_the_old_ones_serve_on(
    stack: Stack, client: MlflowClient, result: dict[str, Any]
) -> None:
    before, served = aliases(client), listing.served(stack)
    assert MODEL in (served or {})
    version = registry.catalogue(client)[MODEL][0]
    forged = registry.Version(model=MODEL, number=version.number, tags={**version.tags, "sha256": "f" * 64})
    with pytest.raises(CheckpointError, match="it is not served"):
        promotion.promote(stack, client, forged, print)
    assert (aliases(client), listing.served(stack)) == (before, served)


def test_replicas_refuse_another_hash_too_and_what_answered_answers_on(
    stack: Stack, result: dict[str, Any]
) -> None:
    models, limits = replicas.deployed(stack.ray())
    before = listing.served(stack)
    assert MODEL in (before or {})
    wrong = {**models, MODEL: {**models[MODEL], "sha256": "f" * 64}}
    try:
        failed = replicas.roll_out(stack.ray(), stack.inference(), wrong, limits, required=())
        assert list(failed) == [MODEL]
        assert "the deployment asks for" in failed[MODEL]
        assert listing.served(stack) == before
    finally:
        replicas.roll_out(stack.ray(), stack.inference(), models, limits)


def test_a_second_change_at_the_same_time_is_refused(stack: Stack, result: dict[str, Any]) -> None:
    with (
        lock.hold(stack.store(), "first"),
        pytest.raises(StackError, match="is changing what is served; nothing was changed"),
    ):
        promote.change(stack, MODEL, registry.CHAMPION, "promote")
