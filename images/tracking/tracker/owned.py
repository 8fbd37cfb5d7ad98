"""What jobs must not own: the record of what is served, the benchmark's history, the names of its workloads.

Runs in the job before the server. The ids of the two experiments are kept in a comment that only the owner of
the tables can write, so that one that somebody else made under such a name is never taken for them.
`benchmark/tracking/serving_record.py` reads and writes the record; the words below are its words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import schemas
from .settings import RUNS, address, say

BENCHMARK, JOBS = "benchmark", "jobs"
RECORD, HISTORY = "aidc-serving", "benchmark"
# Nobody deletes what stands in the record; the benchmark's own experiment is its own.
EXPERIMENTS = {RECORD: "EDIT", HISTORY: "MANAGE"}
WORKLOADS = ("bytelm", "digits", "mlp")
SCHEMA = "aidc.serving/1"
ALIASES = ("champion", "previous", "canary")


def prepare(users: Any) -> None:
    """`users`: MLflow's store of users. Running it again changes nothing that is as it should be."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs

    runs, registry = Runs(address(RUNS, "owner"), "mlflow-artifacts:/"), Registry(address(RUNS, "owner"))
    theirs = {p.name for p in users.list_registered_model_permissions(JOBS)}
    known = marked()
    kept = {name: experiment(name, known.get(name), runs, users) for name in EXPERIMENTS}
    reserve(registry, users)
    if RECORD not in known:
        taken_over(runs, registry, kept, theirs)
    # Last, so that a job that broke off begins anew.
    mark(kept)


def marked() -> dict[str, str]:
    """Name → id of the experiments that an earlier set-up made."""
    with schemas.connect(RUNS, "owner") as connection:
        row = connection.execute(
            "SELECT obj_description(to_regclass(%s), 'pg_class')", [f"{RUNS}.experiments"]
        ).fetchone()
    try:
        found = json.loads(str(row[0])) if row and row[0] else {}
    except ValueError:
        return {}
    return {str(name): str(number) for name, number in found.items()} if isinstance(found, dict) else {}


def mark(kept: Mapping[str, str]) -> None:
    text = json.dumps({name: int(number) for name, number in kept.items()}, sort_keys=True)
    with schemas.connect(RUNS, "owner") as connection:
        connection.execute(f"COMMENT ON TABLE {RUNS}.experiments IS '{text}'")


def experiment(name: str, known: str | None, runs: Any, users: Any) -> str:
    """The id of the experiment `name`, which only the benchmark and the administrator can write then."""
    there = runs.get_experiment_by_name(name)
    # The record is ours only by the mark; the history of a stack of before, where jobs have no right to it.
    mine = there and (
        there.experiment_id == known
        or (known is None and name == HISTORY and not granted(users, there.experiment_id))
    )
    if there and not mine:
        other = f"{name}-of-somebody-else-{there.experiment_id}"
        rename(there.experiment_id, other, there.lifecycle_stage)
        say(f"experiment {name} was not made by the set-up: it is called {other} now, and is not used")
        there = None
    if there is None and known and exists(known):
        rename(known, name, "active")
        say(f"experiment {name} had been renamed, and has its name again")
        found = known
    elif there is None:
        found = str(runs.create_experiment(name))
        say(f"experiment {name} is new")
    else:
        found = str(there.experiment_id)
        if there.lifecycle_stage != "active":
            runs.restore_experiment(found)
            say(f"experiment {name} had been deleted, and is restored")
    users.delete_grants_for_resource("experiment", found)
    users.grant_user_permission(BENCHMARK, "experiment", found, EXPERIMENTS[name])
    return found


def granted(users: Any, number: str) -> bool:
    """Whether jobs have a right to the experiment."""
    return number in {str(p.experiment_id) for p in users.list_experiment_permissions(JOBS)}


def exists(number: str) -> bool:
    with schemas.connect(RUNS, "owner") as connection:
        query = f"SELECT 1 FROM {RUNS}.experiments WHERE experiment_id = %s"
        return connection.execute(query, [int(number)]).fetchone() is not None


def rename(number: str, name: str, stage: str) -> None:
    """Also one that was deleted, which MLflow refuses."""
    with schemas.connect(RUNS, "owner") as connection:
        query = f"UPDATE {RUNS}.experiments SET name = %s, lifecycle_stage = %s WHERE experiment_id = %s"
        connection.execute(query, [name, stage, int(number)])


def reserve(registry: Any, users: Any) -> None:
    """The workloads' names belong to the benchmark, also those that a job was faster with."""
    from mlflow.exceptions import MlflowException

    for name in WORKLOADS:
        try:
            registry.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for kind in ("registered_model", "prompt"):
            users.delete_grants_for_resource(kind, name)
        users.grant_user_permission(BENCHMARK, "registered_model", name, "MANAGE")


def taken_over(runs: Any, registry: Any, kept: Mapping[str, str], theirs: Iterable[str]) -> None:
    """Once, on a stack that served by aliases: what jobs could not have written goes into the record."""
    for model in pages(registry.search_registered_models):
        if not any(alias in model.aliases for alias in ALIASES) and model.name not in WORKLOADS:
            continue
        if model.name in set(theirs):
            for alias, number in model.aliases.items():
                if alias == "champion":
                    say(
                        f"{model.name}: version {number} was champion by an alias that jobs may set, and is not "
                        f"taken over; fix: `make promote MODEL={model.name} VERSION={number}`"
                    )
            continue
        for kind, state in entries(model, list(versions(registry, model.name)), runs, kept[HISTORY]):
            write(runs, kept[RECORD], model.name, kind, state)


def entries(
    model: Any, found: Iterable[Any], runs: Any, history: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, state) of each version that a run of the benchmark proves, and of what is served."""
    proven: dict[str, dict[str, Any]] = {}
    shares: dict[str, str] = {}
    for version in found:
        card, sha256 = version.tags.get("card", ""), version.tags.get("sha256", "")
        if not card.startswith(f"models/{model.name}/") or proof(runs, version.run_id, history) != sha256:
            continue
        entry = {"version": int(version.version), "card": card, "sha256": sha256, "card_sha256": ""}
        proven[str(version.version)] = {**entry, "created": str(version.creation_timestamp)}
        shares[str(version.version)] = version.tags.get("share", "")
    yield from (("admitted", entry) for entry in proven.values())
    parts = {alias: proven.get(str(model.aliases.get(alias))) for alias in ALIASES}
    canary = shares.get(str(model.aliases.get("canary")), "")
    share = int(canary) if canary.isascii() and canary.isdigit() and 1 <= int(canary) <= 99 else 0
    if parts["champion"]:
        state = {**parts, "canary": parts["canary"] if share else None}
        yield "served", {**state, "share": share if state["canary"] else 0, "revision": 1}


def proof(runs: Any, run_id: str, history: str) -> str:
    """The hash of the weights by the run in which they were trained; empty where that is none of ours."""
    from mlflow.exceptions import MlflowException

    try:
        run = runs.get_run(run_id)
    except MlflowException:
        return ""
    found = {**run.data.tags, **run.data.params}
    return str(found.get("model_sha256", "")) if run.info.experiment_id == history else ""


def write(runs: Any, record: str, model: str, kind: str, state: Mapping[str, Any]) -> None:
    """As `serving_record._write` does."""
    from mlflow.entities import RunStatus, RunTag

    told = {"schema": SCHEMA, "kind": kind, "model": model, "state": json.dumps(state, sort_keys=True),
            "change": "taken over from the aliases", "by": "tracking-setup"}  # fmt: skip
    tags = [RunTag(f"aidc.{name}", value) for name, value in told.items()]
    now_ms = int(time.time() * 1000)
    run = runs.create_run(record, BENCHMARK, now_ms, tags, f"{model}: {told['change']}")
    runs.update_run_info(run.info.run_id, RunStatus.FINISHED, now_ms, None)
    if kind == "served":
        say(f"{model}: version {state['champion']['version']} is served, as its alias said")


def versions(registry: Any, name: str) -> Iterator[Any]:
    # In a condition a quotation mark would end the name; such a model is nobody's workload.
    if not set("'\"`\\") & set(name):
        yield from pages(lambda **more: registry.search_model_versions(f"name='{name}'", **more))


def pages(search: Any) -> Iterator[Any]:
    token = None
    while True:
        found = search(page_token=token)
        yield from found
        token = found.token
        if not token:
            return
