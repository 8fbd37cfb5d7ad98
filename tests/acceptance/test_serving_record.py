"""What a job does to MLflow and to the bucket of the models does not choose what is served."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmark.cluster import replicas
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.stack import Stack
from benchmark.commands import models as listing
from benchmark.commands import serve
from benchmark.core.errors import MlflowError
from benchmark.tracking import registry, rollout, serving_record
from tests.acceptance.commands import aidc
from tests.acceptance.conftest import STACK

MODEL = "mlp"
OPTIONS = argparse.Namespace(stack=STACK, inventory=None, access=None)
# Runs as a job, with what a job has: its user of MLflow, and the bucket of the models, which it may write to.
JOB = """
import json, sys
import mlflow
from benchmark.core.documents import get_json, put_json
from benchmark.core.store import open_store

name, served_card, experiment, taken, attack = sys.argv[1:]
store, client = open_store("s3:"), mlflow.MlflowClient()
if attack == "undo":
    card = get_json(store, served_card)
    card.pop("forged", None)
    put_json(store, served_card, card)
    client.delete_registered_model(name)
    sys.exit()

refused, allowed = {}, []
def tried(what, call):
    try:
        call()
        allowed.append(what)
    except Exception as error:
        refused[what] = str(error)[:300]

# A model of its own with all that one has that was admitted, and weights that can be loaded.
card = get_json(store, served_card)
place = f"models/{name}/1"
store.put(f"{place}/model.safetensors", store.get(card["key"]))
put_json(store, f"{place}/model.json", {**card, "workload": name, "key": f"{place}/model.safetensors"})
tags = {"card": f"{place}/model.json", "sha256": card["sha256"], "share": "50"}
client.create_registered_model(name)
for _ in range(2):
    client.create_model_version(name, f"s3://{place}", tags=tags)
client.set_registered_model_alias(name, "champion", "1")
client.set_registered_model_alias(name, "canary", "2")
allowed.append("own model")
# The names of the workloads.
tried("alias of a workload", lambda: client.set_registered_model_alias("mlp", "champion", "1"))
tried("tag of a workload", lambda: client.set_model_version_tag("mlp", "1", "sha256", card["sha256"]))
tried("version of a workload", lambda: client.create_model_version("mlp", f"s3://{place}", tags=tags))
tried("workload deleted", lambda: client.delete_registered_model("mlp"))
tried("workload renamed", lambda: client.rename_registered_model("mlp", "mlp2"))
tried("workload registered", lambda: client.create_registered_model("mlp"))
# The record, of which it was told even the id.
tags = {"aidc.schema": "aidc.serving/1", "aidc.kind": "served", "aidc.model": name, "aidc.state": json.dumps(
    {"champion": {"version": 1, "card": f"{place}/model.json", "sha256": card["sha256"]}, "revision": 99})}
tried("record written", lambda: client.create_run(experiment, tags=tags))
tried("record read", lambda: client.get_run(taken))
tried("record's run changed", lambda: client.set_tag(taken, "aidc.model", name))
tried("record's run deleted", lambda: client.delete_run(taken))
tried("record renamed", lambda: client.rename_experiment(experiment, "other"))
tried("record deleted", lambda: client.delete_experiment(experiment))
tried("record made", lambda: client.create_experiment("aidc-serving"))
tried("history made", lambda: client.create_experiment("benchmark"))
tried("history written", lambda: client.create_run(client.get_experiment_by_name("benchmark").experiment_id))
# A card that was admitted, written anew.
put_json(store, served_card, {**card, "forged": "yes"})
allowed.append("card of a workload")
seen = len(client.search_runs([experiment]))
print("@@", json.dumps({"refused": refused, "allowed": allowed, "seen": seen}))
"""


@pytest.fixture(scope="module")
def before(client: MlflowClient, result: dict[str, Any]) -> replicas.Models:
    """What is to be served, by the record."""
    return rollout.champions(registry.catalogue(client))


@pytest.fixture(scope="module")
def name() -> str:
    return f"forged-{int(time.time())}"


@pytest.fixture(scope="module")
def attack(
    stack: Stack,
    client: MlflowClient,
    before: replicas.Models,
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Any]]:
    """What the job was allowed, and what it was not. Afterwards the card is as it was, and served."""
    script = tmp_path_factory.mktemp("attack") / "attack.py"
    script.write_text(JOB)
    record = serving_record.read(client).experiment
    taken = str(next(client.runs(record, ""))["info"]["run_id"])
    words = f"{name} {before[MODEL]['card']} {record} {taken}"
    try:
        done = aidc(
            "submit", "--stack", STACK, "--name", name, "--args", f"{words} attack", "--", str(script)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("@@ ")]
        yield json.loads(line.removeprefix("@@ "))
    finally:
        undo = f"{words} undo"
        undone = aidc("submit", "--stack", STACK, "--name", f"{name}-undo", "--args", undo, "--", str(script))
        assert undone.returncode == 0, undone.stdout + undone.stderr
        assert serve.main(OPTIONS) == 0


def test_neither_the_record_nor_a_workloads_name_is_a_jobs_to_change(attack: dict[str, Any]) -> None:
    assert attack["allowed"] == ["own model", "card of a workload"]
    assert len(attack["refused"]) == 15
    assert attack["seen"] == 0
    assert [
        w for w, why in attack["refused"].items() if "403" not in why and "ALREADY_EXISTS" not in why
    ] == []


def test_not_even_the_benchmark_deletes_what_stands_in_the_record(
    client: MlflowClient, before: replicas.Models
) -> None:
    record = serving_record.read(client).experiment
    run = str(next(client.runs(record, ""))["info"]["run_id"])
    with pytest.raises(MlflowError, match="403"):
        client._call("POST", "/runs/delete", json={"run_id": run})
    with pytest.raises(MlflowError, match="403"):
        client._call("POST", "/experiments/delete", json={"experiment_id": record})


def test_what_is_to_be_served_is_as_it_was(
    client: MlflowClient, before: replicas.Models, attack: dict[str, Any], name: str
) -> None:
    known = registry.catalogue(client)
    assert rollout.champions(known) == before
    assert [version.admitted for version in known[name]] == [False, False]


def test_a_roll_out_takes_neither_the_forged_model_nor_the_forged_card(
    stack: Stack,
    before: replicas.Models,
    attack: dict[str, Any],
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert serve.main(OPTIONS) == 1
    said = capsys.readouterr()
    text = said.out + said.err
    assert f"{name}: MLflow shows version 1 as champion, but by the serving record it is no version" in text
    assert f"{before[MODEL]['card']}: has another hash than when it was admitted" in text
    answering = listing.served(stack) or {}
    others = {other: model["sha256"] for other, model in before.items() if other != MODEL}
    assert {other: answering.get(other) for other in others} == others
    assert answering.keys().isdisjoint({name, f"{name}@canary", MODEL})


def test_an_alias_that_counts_for_nothing_is_told(
    attack: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listing.main(argparse.Namespace(**vars(OPTIONS), as_json=False)) == 0
    said = capsys.readouterr().err
    assert f"{name}: MLflow shows version 1 as champion" in said
    assert f"{name}: MLflow shows version 2 as canary" in said
    assert f"fix: `make promote MODEL={name} VERSION=1` if it is meant" in said
