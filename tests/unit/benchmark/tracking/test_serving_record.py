"""The record of what is served: it is believed, and what the registry says is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import StackError
from benchmark.tracking import registry, rollout, serving_record
from benchmark.tracking.serving_record import Entry, State
from tests.unit.benchmark.fake_mlflow import FakeMlflow

MODEL = "slope"
SHA = "a" * 64


def entry(client: MlflowClient, number: int) -> Entry:
    """A version as a job registers it: with the tags of one that was admitted."""
    card = f"models/{MODEL}/{number}/model.json"
    tags = {"card": card, "sha256": SHA, "card_sha256": SHA, "share": "50"}
    made = client.create_version(MODEL, "s3://models/x", "r", tags)
    return Entry(
        version=int(made["version"]), card=card, sha256=SHA, card_sha256=SHA,
        created=str(made["creation_timestamp"]),
    )  # fmt: skip


@pytest.fixture
def entries(client: MlflowClient) -> list[Entry]:
    client.ensure_model(MODEL)
    return [entry(client, 1), entry(client, 2)]


def served(client: MlflowClient, state: State) -> None:
    record = serving_record.read(client)
    for part in (state.champion, state.canary):
        if part:
            serving_record.admit(client, record, MODEL, part, "by a test")
    serving_record.serve(client, record, MODEL, state, "by a test")


def test_tags_and_aliases_that_a_job_sets_change_nothing(client: MlflowClient, entries: list[Entry]) -> None:
    client.set_alias(MODEL, "champion", "1")
    client.set_alias(MODEL, "canary", "2")
    known = registry.catalogue(client)
    assert rollout.champions(known) == {}
    assert not any(version.admitted for version in known[MODEL])
    assert [v.aliases for v in known[MODEL]] == [(), ()]


def test_what_the_record_says_is_served_whatever_the_registry_says(
    client: MlflowClient, entries: list[Entry]
) -> None:
    served(client, State(champion=entries[0]))
    client.set_alias(MODEL, "champion", "2")
    client.tag_version(MODEL, "1", {"card": "models/slope/forged.json", "sha256": "f" * 64})
    known = registry.catalogue(client)
    told = {"card": entries[0].card, "sha256": SHA, "card_sha256": SHA, "version": "1"}
    assert rollout.champions(known) == {MODEL: told}
    (said,) = registry.differences(known)
    assert said.startswith(
        "slope: MLflow shows version 2 as champion, but by the serving record it is version 1"
    )
    assert "`make promote MODEL=slope VERSION=champion`" in said


def test_a_model_that_its_owner_deletes_is_served_on(
    client: MlflowClient, server: FakeMlflow, entries: list[Entry]
) -> None:
    served(client, State(champion=entries[0]))
    del server.models[MODEL]
    assert rollout.champions(registry.catalogue(client))[MODEL]["version"] == "1"


def test_a_version_that_takes_the_number_of_a_deleted_one_is_another(
    client: MlflowClient, server: FakeMlflow, entries: list[Entry]
) -> None:
    served(client, State(champion=entries[0]))
    del server.models[MODEL]
    client.ensure_model(MODEL)
    forged = entry(client, 1)
    known = registry.catalogue(client)
    (new,) = [v for v in known[MODEL] if v.created == forged.created]
    assert not new.admitted
    assert rollout.champions(known)[MODEL]["card"] == entries[0].card


def test_the_highest_revision_counts(client: MlflowClient, entries: list[Entry]) -> None:
    served(client, State(champion=entries[0]))
    served(client, serving_record.read(client).state(MODEL).promoted(entries[1]))
    state = serving_record.read(client).state(MODEL)
    assert (state.champion, state.previous, state.revision) == (entries[1], entries[0], 2)


def test_what_stands_there_already_is_not_written_again(
    client: MlflowClient, server: FakeMlflow, entries: list[Entry]
) -> None:
    served(client, State(champion=entries[0]))
    before = len(server.runs)
    record = serving_record.read(client)
    serving_record.admit(client, record, MODEL, entries[0], "again")
    serving_record.serve(client, record, MODEL, record.state(MODEL), "again")
    assert len(server.runs) == before


def answered(client: MlflowClient, entry: Entry, answer: str) -> None:
    serving_record.answered(client, serving_record.read(client), MODEL, entry, answer)


def test_the_newest_answer_counts_and_changes_nothing_that_is_served(
    client: MlflowClient, entries: list[Entry]
) -> None:
    served(client, State(champion=entries[0]))
    before = serving_record.read(client)
    answered(client, entries[0], "1" * 64)
    answered(client, entries[0], "2" * 64)
    record = serving_record.read(client)
    assert record.answers == {(MODEL, SHA): "2" * 64}
    assert (record.served, record.admitted) == (before.served, before.admitted)


@pytest.mark.parametrize("answer", ["", "../../x", "A" * 64, "1" * 65])
def test_an_answer_that_is_no_hash_is_none(client: MlflowClient, entries: list[Entry], answer: str) -> None:
    answered(client, entries[0], answer)
    assert serving_record.read(client).answers == {}


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "{",
        "[" * 4000,
        json.dumps({"champion": None}),
        json.dumps({"champion": {"version": 1}, "revision": 9}),
        json.dumps({"champion": "1", "revision": 9}),
        json.dumps({"revision": "x"}),
    ],
)
def test_what_is_not_whole_counts_as_not_written(
    client: MlflowClient, server: FakeMlflow, entries: list[Entry], broken: str
) -> None:
    served(client, State(champion=entries[0]))
    tags = {"schema": serving_record.SCHEMA, "kind": "served", "model": MODEL, "state": broken}
    made = client.create_run("1", "broken", 1, {f"aidc.{name}": value for name, value in tags.items()})
    assert made["info"]["run_id"] in server.runs
    assert serving_record.read(client).state(MODEL).champion == entries[0]


def test_without_the_record_nothing_is_believed(client: MlflowClient, server: FakeMlflow) -> None:
    del server.experiments[serving_record.EXPERIMENT]
    with pytest.raises(StackError, match=r"no experiment aidc-serving.*fix: `make up"):
        registry.catalogue(client)


def test_a_record_that_was_deleted_is_told(client: MlflowClient, server: FakeMlflow) -> None:
    server.experiments[serving_record.EXPERIMENT]["lifecycle_stage"] = "deleted"
    with pytest.raises(StackError, match=r"cannot be read.*fix: `make up"):
        registry.catalogue(client)


def test_a_change_says_who_made_it(client: MlflowClient, server: FakeMlflow, entries: list[Entry]) -> None:
    served(client, State(champion=entries[0]))
    tags: dict[str, Any] = list(server.runs.values())[-1]["tags"]
    assert tags[serving_record.CHANGE] == "by a test"
    assert " on " in tags[serving_record.BY]
