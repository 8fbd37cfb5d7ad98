"""What MLflow's set-up keeps from jobs: the record, the history and the names of the workloads."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from components.planning.databases import TRACKING, TRACKING_AUTH
from images.tracking.tracker.inherited import BENCHMARK, HISTORY, RECORD, WORKLOADS
from tests.unit.images import stand_ins

JOBS = "jobs"


class RefusedError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.error_code = code


@pytest.fixture(autouse=True)
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.mlflow(monkeypatch, RefusedError)


@pytest.fixture(scope="module")
def owned() -> Iterator[Any]:
    """The module, without the way to the database, whose driver is in the image alone too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "images.tracking.tracker.schemas", ModuleType("schemas"))
        yield importlib.import_module("images.tracking.tracker.owned")


class Runs:
    """The experiments, number → name and stage, and the comment of which only the owner is the author."""

    def __init__(self, **named: str) -> None:
        self.rows = {number[1:]: [name, "active"] for number, name in named.items()}
        self.comment: str | None = None

    def get_experiment_by_name(self, name: str) -> Any:
        for number, (called, stage) in self.rows.items():
            if called == name:
                return SimpleNamespace(experiment_id=number, lifecycle_stage=stage)
        return None

    def create_experiment(self, name: str) -> str:
        number = str(max(map(int, self.rows), default=0) + 1)
        self.rows[number] = [name, "active"]
        return number

    def restore_experiment(self, number: str) -> None:
        self.rows[number][1] = "active"

    def execute(self, query: str, values: Any = ()) -> Any:
        if query.startswith("UPDATE"):
            name, stage, number = values
            self.rows[str(number)] = [name, stage]
        elif query.startswith("COMMENT"):
            self.comment = query.partition(" IS '")[2].removesuffix("'")
        elif "obj_description" in query:
            return SimpleNamespace(fetchone=lambda: (self.comment,))
        elif query.startswith("SELECT 1"):
            return SimpleNamespace(fetchone=lambda: (1,) if str(values[0]) in self.rows else None)
        return None


class Users:
    """Rights: kind, resource and user → what it may; jobs have those of `jobs`."""

    def __init__(self, *jobs: str) -> None:
        self.rights = {("experiment", number, JOBS): "MANAGE" for number in jobs}

    def list_experiment_permissions(self, user: str) -> list[Any]:
        found = (number for kind, number, who in self.rights if (kind, who) == ("experiment", user))
        return [SimpleNamespace(experiment_id=number) for number in found]

    def delete_grants_for_resource(self, kind: str, resource: str) -> None:
        self.rights = {key: may for key, may in self.rights.items() if key[:2] != (kind, resource)}

    def grant_user_permission(self, user: str, kind: str, resource: str, may: str) -> None:
        self.rights[kind, resource, user] = may


class Registry:
    """It has `there` already, and answers with `code` for those."""

    def __init__(self, *there: str, code: str = "RESOURCE_ALREADY_EXISTS") -> None:
        self.names, self.code = set(there), code

    def create_registered_model(self, name: str) -> None:
        if name in self.names:
            raise RefusedError(self.code)
        self.names.add(name)


@pytest.fixture
def runs(owned: Any, monkeypatch: pytest.MonkeyPatch) -> Runs:
    found = Runs()

    @contextmanager
    def connect(*_: str) -> Any:
        yield found

    monkeypatch.setattr(owned.schemas, "connect", connect, raising=False)
    return found


def test_a_new_experiment_is_the_benchmarks_alone(owned: Any, runs: Runs) -> None:
    users = Users()
    number = owned.experiment(RECORD, None, runs, users)
    assert runs.rows[number] == [RECORD, "active"]
    assert users.rights == {("experiment", number, BENCHMARK): "EDIT"}


def test_a_second_run_changes_nothing(owned: Any, runs: Runs) -> None:
    users = Users()
    number = owned.experiment(RECORD, None, runs, users)
    before = (dict(runs.rows), dict(users.rights))
    assert owned.experiment(RECORD, number, runs, users) == number
    assert (runs.rows, users.rights) == before


@pytest.mark.parametrize("known", [None, "9"], ids=["before the first set-up", "after it"])
def test_the_name_of_the_record_that_a_job_took_is_given_back(
    owned: Any, runs: Runs, known: str | None
) -> None:
    runs.rows["3"] = [RECORD, "active"]
    users = Users("3")
    number = owned.experiment(RECORD, known, runs, users)
    assert number != "3"
    assert runs.rows[number] == [RECORD, "active"]
    assert runs.rows["3"][0].startswith(f"{RECORD}-of-somebody-else-")
    assert users.rights["experiment", number, BENCHMARK] == "EDIT"
    assert ("experiment", "3", BENCHMARK) not in users.rights


def test_a_record_without_the_mark_is_not_believed_though_no_job_has_a_right_to_it(
    owned: Any, runs: Runs
) -> None:
    runs.rows["3"] = [RECORD, "active"]
    assert owned.experiment(RECORD, None, runs, Users()) != "3"


def test_the_history_of_a_stack_of_before_is_kept_where_no_job_has_a_right_to_it(
    owned: Any, runs: Runs
) -> None:
    runs.rows["3"] = [HISTORY, "active"]
    users = Users()
    assert owned.experiment(HISTORY, None, runs, users) == "3"
    assert users.rights == {("experiment", "3", BENCHMARK): "MANAGE"}


def test_a_history_that_a_job_made_is_not(owned: Any, runs: Runs) -> None:
    runs.rows["3"] = [HISTORY, "active"]
    assert owned.experiment(HISTORY, None, runs, Users("3")) != "3"


def test_what_was_renamed_has_its_name_again_also_when_somebody_has_taken_it(owned: Any, runs: Runs) -> None:
    runs.rows |= {"3": ["elsewhere", "deleted"], "4": [RECORD, "active"]}
    assert owned.experiment(RECORD, "3", runs, Users("4")) == "3"
    assert runs.rows["3"] == [RECORD, "active"]
    assert runs.rows["4"][0] != RECORD


def test_what_was_deleted_is_restored(owned: Any, runs: Runs) -> None:
    runs.rows["3"] = [RECORD, "deleted"]
    assert owned.experiment(RECORD, "3", runs, Users()) == "3"
    assert runs.rows["3"] == [RECORD, "active"]


def test_rights_that_jobs_have_to_the_record_are_taken_from_them(owned: Any, runs: Runs) -> None:
    runs.rows["3"] = [RECORD, "active"]
    users = Users("3")
    owned.experiment(RECORD, "3", runs, users)
    assert not owned.granted(users, "3")


def test_the_mark_is_read_as_it_was_written(owned: Any, runs: Runs) -> None:
    owned.mark({RECORD: "3", HISTORY: "7"})
    assert owned.marked() == {RECORD: "3", HISTORY: "7"}


@pytest.mark.parametrize("comment", [None, "", "no JSON", "[3]", json.dumps("3")])
def test_another_comment_is_no_mark(owned: Any, runs: Runs, comment: str | None) -> None:
    runs.comment = comment
    assert owned.marked() == {}


def test_the_workloads_names_are_the_benchmarks_also_where_a_job_was_faster(owned: Any) -> None:
    users, first = Users(), WORKLOADS[0]
    for kind in ("registered_model", "prompt"):
        users.rights[kind, first, JOBS] = "MANAGE"
    registry = Registry(first)
    owned.reserve(registry, users)
    assert registry.names == set(WORKLOADS)
    assert users.rights == {("registered_model", name, BENCHMARK): "MANAGE" for name in WORKLOADS}


def test_another_refusal_of_the_registry_ends_the_setup(owned: Any) -> None:
    with pytest.raises(RefusedError):
        owned.reserve(Registry(WORKLOADS[0], code="INTERNAL_ERROR"), Users())


def test_what_the_set_up_makes_leaves_the_databases_empty(owned: Any) -> None:
    """As restores count, MLflow's own experiment beside these."""
    reserved = len(owned.EXPERIMENTS) + len(WORKLOADS)
    assert TRACKING.initial["tracking.experiments"] == 1 + len(owned.EXPERIMENTS)
    assert TRACKING.initial["tracking.registered_models"] == len(WORKLOADS)
    assert TRACKING_AUTH.initial["tracking_auth.role_permissions"] == reserved
