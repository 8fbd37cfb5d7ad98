"""Which run of a job is meant: `demo` is its newest, `demo@1` its first; Ray's id is one, too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from components.planning.issues import suggest
from operations.errors import RefusedError
from operations.jobs import request

Job = Mapping[str, Any]
# No name has it.
SIGN = "@"
# Of the runs that a refusal lists, the newest.
LISTED_MOST = 10


def numbered(jobs: Iterable[Job]) -> dict[str, str]:
    """Id of each job that was submitted → `demo@2`, the second of its name that Ray knows of."""
    counts: dict[str, int] = {}
    found = {}
    for job in sorted(filter(submitted, jobs), key=begun):
        name = request.name_of(job)
        counts[name] = counts.get(name, 0) + 1
        found[str(job["submission_id"])] = f"{name}{SIGN}{counts[name]}"
    return found


def meant(wanted: str, jobs: Sequence[Job]) -> Job:
    """The job of this run, name or id; of several the newest. Raises RefusedError that lists the runs."""
    runs = numbered(jobs)
    newest = sorted(filter(submitted, jobs), key=begun, reverse=True)
    for job in newest:
        if runs[str(job["submission_id"])] == wanted:
            return job
    for job in newest:
        if wanted in (request.name_of(job), job["submission_id"], job.get("job_id")):
            return job
    raise RefusedError(_unknown(wanted, [(runs[str(job["submission_id"])], job) for job in newest]))


def _unknown(wanted: str, newest: Sequence[tuple[str, Job]]) -> str:
    name, sign, number = wanted.rpartition(SIGN)
    there = [
        f"{run} ({str(job.get('status')).lower()})" for run, job in newest if request.name_of(job) == name
    ]
    if sign and there:
        more = f", and {len(there) - LISTED_MOST} older ones" if len(there) > LISTED_MOST else ""
        listed = f"there are {', '.join(there[:LISTED_MOST])}{more}"
        return f"JOB: job {name!r} has no run {number!r}\n    fix: {listed}"
    names = {request.name_of(job) for _, job in newest}
    return f"JOB: there is no job {wanted!r}\n    fix: {suggest(wanted, names, '`make jobs` lists them')}"


def submitted(job: Job) -> bool:
    """Whether it came through Ray's API: a driver that came otherwise has no log there."""
    return bool(job.get("submission_id"))


def begun(job: Job) -> tuple[datetime, str]:
    """Sorts jobs by when they were submitted; those of which nobody knows come first."""
    return request.submitted(job) or datetime.min.replace(tzinfo=UTC), str(job.get("submission_id"))
