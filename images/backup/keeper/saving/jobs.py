"""The commands about the jobs: run them, by their schedules too, and tell what became of them."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..core import status
from ..core.leave import leave
from ..core.objects import shown
from ..core.settings import LOCK, STAGING, STATUS, Job, Settings, load

STORE_WITHIN = 120
FIRST_TRIES = 20
CRONTAB = "/etc/aidc/crontab"
FAILED, PARTIAL = status.EXIT_CODES["failed"], status.EXIT_CODES["partial"]


def say(text: str) -> None:
    print(f"{status.now()} {text}", flush=True)


def lock() -> Any:
    """Two runs at once would disturb each other: the second waits until the lock is closed."""
    file = LOCK.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def chosen(settings: Settings, names: Sequence[str]) -> list[Job]:
    """The jobs of these names, all without one. Raises ValueError, with what is known, for another name."""
    known = {job.name: job for job in settings.jobs}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no job {', '.join(unknown)}; fix: one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(settings.jobs)


def run(names: Sequence[str], *, thorough: bool, progress: bool = False) -> int:
    """Run these jobs one after the other, each whatever became of the others; the worst exit code.

    A run that is not `thorough` is one of the schedule.
    """
    try:
        jobs = chosen(load(), names)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    codes = {one(job.name, thorough=thorough, progress=progress) for job in jobs}
    return next((code for code in (FAILED, PARTIAL) if code in codes), 0)


def one(name: str, *, thorough: bool, progress: bool = False) -> int:
    """One run of a job, after those that are under way. What a schedule asks for is not done twice.

    While it waited for its turn, the same job may have been run by somebody else.
    """
    asked = status.now()
    with lock():
        settings, before = load(), status.read(STATUS)
        if name not in {job.name for job in settings.jobs}:
            return 0  # It was removed while this run waited.
        newest = (status.entry_of(before, name) or {}).get("run")
        if not thorough and newest and newest["started"] > asked:
            say(f"{prefix(settings, name)}another run has done it meanwhile")
            return status.EXIT_CODES[newest["result"]]
        return _run(settings, name, before, thorough=thorough, progress=progress)


def _run(
    settings: Settings, name: str, before: Mapping[str, Any] | None, *, thorough: bool, progress: bool
) -> int:
    from ..core.progress import Progress  # noqa: PLC0415
    from ..sources import store  # noqa: PLC0415  (the check, each five seconds, has no use for S3)
    from ..sources.staging import Staging  # noqa: PLC0415
    from . import run  # noqa: PLC0415  (the check, each five seconds, has no use for S3)

    known = [job.name for job in settings.jobs]
    several = prefix(settings, name)

    def tell(text: str) -> None:
        say(f"{several}{text}")

    started = time.monotonic()
    # The result of the run before stands until this one has ended.
    entry = {**(status.entry_of(before, name) or {"run": None}), "running_since": status.now()}
    status.write(STATUS, status.with_entry(before, name, entry, known))
    s3 = store.client(settings.store)
    write = (lambda line: print(line, flush=True)) if progress else None
    course = Progress(write, of=several.removesuffix(": "))
    done = run.run(settings, Staging(STAGING, name), s3, tell, course, thorough=thorough)
    entry = status.entry(done)
    status.write(STATUS, status.with_entry(before, name, entry, known))
    for found in done.unreadable_objects:
        tell(f"not read: {found['bucket']}/{shown(found['key'])}: {found['reason']}")
    for warning in done.warnings:
        tell(f"warning: {warning}")
    text = status.describe(entry, done.result)
    seconds = time.monotonic() - started
    tell(f"backup {text}" if done.result == "failed" else f"backup finished in {seconds:.0f} s: {text}")
    return status.EXIT_CODES[done.result]


def prefix(settings: Settings, name: str) -> str:
    """What stands before each line about a job, where there are several."""
    return f"{name}: " if len(settings.jobs) > 1 else ""


def schedule() -> int:
    """Run every job once, those that fail again; then by the crontab. A job that fails stops no other."""
    settings = load()
    _await_store(settings)
    waiting = [job.name for job in settings.jobs]
    for attempt in range(FIRST_TRIES):
        failed = [name for name in waiting if one(name, thorough=False) == FAILED]
        if not failed:
            break
        if attempt == FIRST_TRIES - 1 and len(failed) == len(settings.jobs):
            return 1
        waiting = failed
        time.sleep(2)
    supercronic()
    return 1


def supercronic() -> None:
    """Becomes the scheduler, which never runs the same line twice at once."""
    os.execvp("supercronic", ["supercronic", "-passthrough-logs", CRONTAB])


def _await_store(settings: Settings) -> None:
    from ..sources import store  # noqa: PLC0415

    bucket = next((bucket for job in settings.jobs for bucket in job.buckets), None)
    deadline, reason = time.monotonic() + STORE_WITHIN, ""
    while bucket and time.monotonic() < deadline:
        try:
            next(store.listing(store.client(settings.store), bucket), None)
            return
        except store.StoreError as error:
            reason = str(error)
        time.sleep(1)
    if bucket:
        say(f"the object store did not answer for two minutes: {reason}")


def report() -> dict[str, Any]:
    """What `backup status` prints."""
    settings = load()
    schedules = {job.name: job.schedule for job in settings.jobs}
    found = status.report(status.read(STATUS), schedules, datetime.now(UTC))
    return {**found, "unsaved": list(settings.unsaved)}


def check(*, health: bool) -> int:
    """A partial backup is no fault of the container's: its health check passes, and says so."""
    found = report()
    print(found["text"])
    if health:
        leave("backup", "metrics")
    if found["state"] == "partial":
        return 0 if health else PARTIAL
    return 0 if found["state"] == "ok" else 1


def show() -> int:
    print(json.dumps(report(), indent=1))
    return 0


def metrics() -> int:
    from ..proving import metrics as written  # noqa: PLC0415

    print("\n".join(written.of_backup(report())))
    return 0
