"""The jobs of a stack as rows, newest first: state, age, and what a job that has not begun waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.core.words import masked
from benchmark.jobs.ranks import GROUP
from operations.jobs import capacity, following, request, runs, session
from operations.status_document import Job

ENDED_MOST = 5


def rows_of(
    jobs: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], nodes: Sequence[capacity.Node]
) -> list[dict[str, str]]:
    """One for each job that was submitted, in the given order, in words."""
    known = runs.numbered(jobs)
    return [
        {
            "run": known[job.id],
            "name": job.name,
            "id": job.id,
            "state": job.state,
            "ranks": str(job.ranks or ""),
            "each": job.each,
            "age": session.age(raw),
            "packages": masked(str((raw.get("metadata") or {}).get(request.PACKAGES_KEY, ""))[:12]),
            "waits for": job.waits_for,
        }
        for raw, job in zip(filter(runs.submitted, jobs), entries(jobs, groups, nodes), strict=True)
    ]


def entries(
    jobs: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], nodes: Sequence[capacity.Node]
) -> list[Job]:
    """The same for programs."""
    pending = {
        str(group.get("name")) for group in groups if group.get("state") in ("PENDING", "RESCHEDULING")
    }
    found = []
    for job in filter(runs.submitted, jobs):
        name, state = request.name_of(job), str(job.get("status"))
        waits = state == "PENDING" or (state == "RUNNING" and f"{GROUP}{name}" in pending)
        asked, moment = request.asked_of(job.get("metadata")), request.submitted(job)
        found.append(
            Job(
                name=name,
                id=str(job.get("submission_id")),
                state="waiting" if waits else state.lower(),
                ranks=asked[0] if asked else None,
                each=str(asked[1]) if asked else "",
                submitted=moment.isoformat(timespec="seconds") if moment else None,
                waits_for=following.waits_of(job, nodes) if waits else "",
            )
        )
    return found


def at_a_glance(found: Sequence[Job]) -> list[Job]:
    """Those that have not ended, and the last few that have."""
    ended = [job for job in found if job.state.upper() in session.ENDED]
    return [job for job in found if job not in ended] + ended[:ENDED_MOST]


def of_session(opened: session.Session) -> list[Job]:
    """All jobs, newest first. Raises what the session's client raises."""
    return entries(
        request.newest_first(opened.ray.jobs()), opened.ray.state("placement_groups"), opened.nodes()
    )
