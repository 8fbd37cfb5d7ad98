"""Deleting the checkpoints of a job: whether they may go, and the job on a compute node that deletes them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.cluster import inner_job
from benchmark.cluster.ray_api import RayClient
from benchmark.core.store import Store
from benchmark.jobs.discard import place
from benchmark.jobs.environment import CHECKPOINT_BUCKET
from components.planning.issues import Issue, suggest
from components.planning.units import MIB
from operations.errors import OperationError, refusal
from operations.jobs import request, runs
from operations.output import count, size

IDENTITY = "compute"
WHAT = "nothing was deleted"


def bucket_of(inventory: Mapping[str, Any]) -> Mapping[str, Any]:
    """The bucket of the checkpoints as it is declared; empty where the stack does not say."""
    found = (b for b in inventory.get("buckets", []) if b.get("name") == CHECKPOINT_BUCKET)
    return next(found, {})


def issues(
    name: str, jobs: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], bucket: Mapping[str, Any]
) -> list[Issue]:
    """Why the job's checkpoints cannot be deleted. Pure."""
    if not request.NAME.fullmatch(name):
        whole = name.rpartition(runs.SIGN)[0]
        fix = f"all runs of a job share its checkpoints: JOB={whole}" if whole else "`make jobs` lists them"
        return [Issue("JOB", f"{name!r:.80} is not a job's name", fix)]
    found = []
    own = {str(job.get("submission_id")): request.name_of(job) for job in jobs if runs.submitted(job)}
    if not sizes and name not in own.values():
        if name in own:
            fix = f"all runs of a job share its checkpoints: JOB={own[name]}"
            return [Issue("JOB", f"{name!r} is a run of the job {own[name]!r}", fix)]
        fix = suggest(name, set(own.values()), "`make jobs` lists them")
        return [Issue("JOB", f"there is no job {name!r}, and there are no checkpoints of it", fix)]
    for identifier in request.running_of(name, jobs):
        fix = f"`make stop JOB={identifier}`, or wait until it has ended"
        found.append(Issue("JOB", f"job {identifier} has not ended, and may need them", fix))
    if IDENTITY not in bucket.get("delete", ()):
        where = f"object_store.buckets.{CHECKPOINT_BUCKET}.delete"
        fix = f"add {IDENTITY} there, then `make up`; or let expire_after_days remove them"
        found.append(Issue(where, "jobs may delete nothing there, and so nobody deletes checkpoints", fix))
    return found


def discard(ray: RayClient, store: Store, name: str, identifier: str) -> dict[str, int]:
    """What was deleted, each object with its bytes, as the store itself says. Raises OperationError.

    Job `identifier` deletes it. The job is believed nothing: its node runs others' code, too.
    """
    before = store.sizes(place(name))
    said = inner_job.run(ray, ["benchmark.jobs.discard", name], identifier)
    after = store.sizes(place(name))
    gone = {key: bytes_ for key, bytes_ in before.items() if key not in after}
    if after:
        why = said.messages.get("error", {}).get("message") or "\n".join(said.tail)
        raise OperationError(
            f"job {identifier}: {said.status.lower()}: {count(len(gone), 'object')} deleted, {len(after)} "
            f"left in s3://{place(name)}: {why}\n    fix: the same command again"
        )
    return gone


def identifier_of(name: str) -> str:
    """Of the job that deletes them; no second one has it."""
    return f"discard-{name}-{int(time.time() * 1000)}"


def check(
    name: str, jobs: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], bucket: Mapping[str, Any]
) -> None:
    """Raises RefusedError with every reason at once."""
    if found := issues(name, jobs, sizes, bucket):
        raise refusal(found, WHAT)


def room(amount: int) -> str:
    """Bytes in words, also of something small."""
    return size(amount) if amount >= MIB else f"{-(-amount // 1024)} KiB"


def told(name: str, gone: Mapping[str, int], bucket: Mapping[str, Any]) -> str:
    """What was deleted, and what that gives back. Pure."""
    given = f"{room(sum(gone.values()))} of the bucket {CHECKPOINT_BUCKET} are free again"
    if bucket.get("versioning"):
        given = (
            f"no room is given back yet: the bucket {CHECKPOINT_BUCKET} keeps earlier versions, "
            f"{room(sum(gone.values()))}, until noncurrent_days removes them"
        )
    return f"job {name}: {count(len(gone), 'object')} deleted; {given}"
