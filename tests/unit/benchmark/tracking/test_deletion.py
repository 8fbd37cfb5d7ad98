"""Which models and versions may be deleted from the registry, and what becomes of the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError, StackError
from benchmark.core.store import DirectoryStore
from benchmark.tracking import deletion, registry, serving_record
from benchmark.tracking.registry import Version
from benchmark.tracking.serving_record import State
from tests.unit.benchmark.fake_mlflow import FakeMlflow

MODEL = "slope"


def made(number: int, *aliases: str, folder: str = "own") -> Version:
    tags = {"card": f"models/{MODEL}/{folder}/{number}/model.json", "sha256": str(number) * 64}
    return Version(model=MODEL, number=number, aliases=aliases, tags=tags)


NEW = Version(model=MODEL, number=4)
VERSIONS = [NEW, made(3, "canary"), made(2, "champion"), made(1, "previous")]


def doomed(wanted: str | None, versions: list[Version] = VERSIONS, **deployed: str) -> deletion.Doomed:
    told = {name.replace("_", "@"): {"sha256": digest} for name, digest in deployed.items()}
    return deletion.doomed({MODEL: versions}, MODEL, wanted, told, ["mlp"])


def refused(wanted: str | None, versions: list[Version] = VERSIONS, **deployed: str) -> str:
    with pytest.raises(ConfigError) as caught:
        doomed(wanted, versions, **deployed)
    return str(caught.value)


@pytest.mark.parametrize("wanted", ["4", "1", "previous"])
def test_a_version_that_is_not_served_may_go(wanted: str) -> None:
    assert str(doomed(wanted)) == f"version {4 if wanted == '4' else 1} of model slope"


@pytest.mark.parametrize(("wanted", "alias"), [("2", "champion"), ("champion", "champion"), ("3", "canary")])
def test_a_version_that_is_served_stays(wanted: str, alias: str) -> None:
    assert f"is served, as {alias}; fix:" in refused(wanted)


@pytest.mark.parametrize("name", ["slope", "slope_canary"])
def test_a_version_that_replicas_serve_stays_whatever_the_record_says(name: str) -> None:
    assert "replicas serve its weights" in refused("1", VERSIONS, **{name: "1" * 64})


def test_a_model_of_which_a_version_is_served_stays_with_every_reason() -> None:
    lines = refused(None).splitlines()
    assert [line.split(":")[1].strip() for line in lines[:2]] == ["3 of slope", "2 of slope"]
    assert lines[2].endswith("MODEL=slope VERSION=…")


def test_a_model_that_nothing_serves_goes_with_its_versions() -> None:
    assert str(doomed(None, [NEW, made(1)])) == "model slope with its versions 4, 1"
    assert str(doomed(None, [])) == "model slope with no version"


def test_a_model_that_replicas_serve_under_other_weights_stays() -> None:
    assert "replicas serve it" in refused(None, [NEW], slope="9" * 64)


def test_what_the_benchmark_trained_stays() -> None:
    assert "belongs to a workload" in refused("1", [made(1, folder="20260101-000000")])
    with pytest.raises(ConfigError, match="'mlp': belongs to a workload"):
        deletion.doomed({"mlp": [replace(NEW, model="mlp")]}, "mlp", "4", {}, ["mlp"])


def test_an_unknown_model_or_version_is_told_which_there_are() -> None:
    assert "it has 4, 3, 2, 1" in refused("9")
    with pytest.raises(ConfigError, match="registered: slope"):
        deletion.doomed({MODEL: VERSIONS}, "slop", None, {}, [])


def test_weights_that_stay_behind_are_counted(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for name in ("model.json", "model.pt2"):
        store.put(f"models/slope/own/1/{name}", b"12345")
    gone = deletion.Doomed(MODEL, (NEW, made(1)), True)
    assert deletion.left(store, gone) == {"models/slope/own/1/": 10}


@pytest.fixture
def versions(client: MlflowClient) -> list[Version]:
    """Two that were admitted; the first is the previous one, the second the champion."""
    client.ensure_model(MODEL)
    found = []
    for number in (1, 2):
        version = made(number)
        row = client.create_version(MODEL, "s3://models/x", "r", version.tags)
        found.append(replace(version, created=str(row["creation_timestamp"])))
        serving_record.admit(client, serving_record.read(client), MODEL, found[-1].entry, "by a test")
    state = State(champion=found[1].entry, previous=found[0].entry)
    serving_record.serve(client, serving_record.read(client), MODEL, state, "by a test")
    return found


def test_the_version_before_is_gone_for_good(client: MlflowClient, versions: list[Version]) -> None:
    """Else `make demote` would serve it again, whose weights are still there."""
    known = registry.catalogue(client)
    deletion.delete(client, deletion.doomed(known, MODEL, "1", {}, []))
    after = registry.catalogue(client)
    assert [(version.number, version.aliases) for version in after[MODEL]] == [(2, ("champion",))]
    with pytest.raises(ConfigError, match="it has 2, champion"):
        registry.choose(after, MODEL, "previous")


def test_a_whole_model_goes(client: MlflowClient, server: FakeMlflow) -> None:
    client.ensure_model(MODEL)
    client.create_version(MODEL, "s3://models/x", "r", {})
    deletion.delete(client, deletion.doomed(registry.catalogue(client), MODEL, None, {}, []))
    assert server.models == {}


def test_a_refusal_of_mlflow_is_told(
    client: MlflowClient, server: FakeMlflow, versions: list[Version]
) -> None:
    server.refuse["/api/2.0/mlflow/model-versions/delete"] = [403]
    with pytest.raises(StackError, match="version 1 of model slope: MLflow did not delete it"):
        deletion.delete(client, deletion.doomed(registry.catalogue(client), MODEL, "1", {}, []))
