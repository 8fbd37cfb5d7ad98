"""Which checkpoints may be deleted, and what is said when they are gone."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.store import DirectoryStore
from benchmark.jobs.discard import discard
from components.planning.buckets import DEFAULTS
from operations.errors import OperationError
from operations.jobs import discarding

BUCKET = {"name": "checkpoints", **DEFAULTS["checkpoints"]}
SIZES = {"checkpoints/jobs/demo/last.pt": 3 << 20}


def job(identifier: str, name: str, status: str = "SUCCEEDED") -> dict[str, Any]:
    return {"submission_id": identifier, "metadata": {"aidc_name": name}, "status": status}


JOBS = [job("demo", "demo"), job("demo-2", "demo", "STOPPED")]


def said(name: str, jobs: Any = JOBS, sizes: Any = SIZES, bucket: Any = BUCKET) -> str:
    return "\n".join(map(str, discarding.issues(name, jobs, sizes, bucket)))


def test_checkpoints_of_a_job_that_has_ended_may_go() -> None:
    assert said("demo") == ""


def test_so_may_those_of_a_job_that_ray_has_forgotten() -> None:
    assert said("demo", jobs=[]) == ""


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_job_that_has_not_ended_keeps_its_checkpoints(status: str) -> None:
    text = said("demo", jobs=[*JOBS, job("demo-3", "demo", status)])
    assert "job demo-3 has not ended" in text
    assert "`make stop JOB=demo-3`" in text


@pytest.mark.parametrize("name", ["demo@1", "demo-2"])
def test_one_run_has_no_checkpoints_of_its_own(name: str) -> None:
    assert "all runs of a job share its checkpoints: JOB=demo" in said(name, sizes={})


@pytest.mark.parametrize("name", ["", "../models", "a/b", "Demo"])
def test_what_is_no_name_leads_nowhere(name: str) -> None:
    assert "is not a job's name" in said(name)


def test_an_unknown_job_is_told_a_near_one() -> None:
    assert "did you mean 'demo'?" in said("dmo", sizes={})


def test_a_stack_that_lets_jobs_delete_nothing_is_told_what_to_change() -> None:
    assert "fix: add compute there" in said("demo", bucket={**BUCKET, "delete": ["client"]})


class Ray:
    """Runs the job at once, on a store in a folder."""

    def __init__(self, store: DirectoryStore, works: bool = True) -> None:
        self.store, self.works = store, works

    def submit(self, entrypoint: str, _identifier: str) -> None:
        *_, module, self.name = shlex.split(entrypoint)
        assert module == "benchmark.jobs.discard"

    def follow(self, _identifier: str, on_line: Callable[[str], None], _timeout: float) -> str:
        if self.works:
            discard(self.store, self.name)
        on_line('@progress {"deleted": 1000}' if self.works else '@error {"message": "access denied"}')
        return "SUCCEEDED" if self.works else "FAILED"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    found = DirectoryStore(tmp_path)
    for key in ("jobs/demo/a", "jobs/demo/deep/b", "jobs/demo-2/a", "jobs/demos/a", "run-1/a"):
        found.put(f"checkpoints/{key}", b"12345")
    return found


def test_what_one_job_kept_goes_and_nothing_else(store: DirectoryStore) -> None:
    gone = discarding.discard(Ray(store), store, "demo", "discard-demo-1")  # type: ignore[arg-type]
    assert gone == {f"checkpoints/jobs/demo/{key}": 5 for key in ("a", "deep/b")}
    left = [f"checkpoints/{key}" for key in ("jobs/demo-2/a", "jobs/demos/a", "run-1/a")]
    assert store.list("checkpoints/") == left


def test_what_is_left_is_told_with_the_reason(store: DirectoryStore) -> None:
    with pytest.raises(OperationError, match=r"0 objects deleted, 2 left in .*access denied"):
        discarding.discard(Ray(store, works=False), store, "demo", "discard-demo-1")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b"])
def test_nothing_is_deleted_below_what_is_no_job(store: DirectoryStore, name: str) -> None:
    with pytest.raises(ValueError, match="is no job's name"):
        discard(store, name)


def test_room_is_told_as_the_bucket_gives_it_back() -> None:
    assert discarding.told("demo", SIZES, BUCKET) == (
        "job demo: 1 object deleted; 3 MiB of the bucket checkpoints are free again"
    )
    kept = discarding.told("demo", SIZES, {**BUCKET, "versioning": True})
    assert "no room is given back yet: the bucket checkpoints keeps earlier versions, 3 MiB" in kept
