"""What jobs must not own: the record of what is served, the benchmark's history, the names of its workloads.

Runs in the job before the server. The ids of the two experiments are kept in a comment that only the owner of
the tables can write, so that one that somebody else made under such a name is never taken for them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from . import schemas
from .inherited import BENCHMARK, HISTORY, RECORD, WORKLOADS, taken_over
from .settings import RUNS, address, say

JOBS = "jobs"
# Nobody deletes what stands in the record; the benchmark's own experiment is its own.
EXPERIMENTS = {RECORD: "EDIT", HISTORY: "MANAGE"}


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
        taken_over(runs, registry, kept[RECORD], kept[HISTORY], theirs)
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
        # A name that could be foreseen could be taken.
        other = f"{name}-of-somebody-else-{uuid.uuid4().hex[:8]}"
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
