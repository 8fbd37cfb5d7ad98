"""One run of a job: list its buckets, fetch what is new, append a snapshot, and compare it with the listing.

What the store does not give is named and left out, and the run ends as partial: all else is saved.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..core import series, status
from ..core.index import Index
from ..core.objects import manifest
from ..core.progress import Progress
from ..core.settings import CA, PASSWORD, PASSWORD_BEFORE, Job, Settings, repository
from ..core.status import Run
from ..sources import archive, archived, configuration, dumps, store, vault
from ..sources.databases import DatabaseError
from ..sources.shrinking import Shrinking
from ..sources.staging import RoomError, Staging
from ..sources.store import StoreError
from ..sources.vault import VaultError
from . import checking
from .checking import IncompleteError

COLLECT_TRIES = 3
# Dumps are text, and not compressed yet.
DUMPS_SHRINK = 0.5
Say = Callable[[str], None]


def run(
    settings: Settings,
    staging: Staging,
    s3: Any,
    say: Say,
    progress: Progress | None = None,
    *,
    thorough: bool = True,
) -> Run:
    """Do all of the job that `staging` is of, and never raise: what went wrong is in the result.

    A run that is not `thorough` keeps the dumps that are there and reads nothing back, unless that is due.
    """
    done = Run(started=status.now())
    try:
        course = Course(say, progress or Progress())
        job = settings.job(staging.job)
        index = staging.prepare([one.name for one in settings.jobs])
        due = thorough or dumps.due(settings, staging)
        _run(Work(settings, job, staging, s3, index), course, done, thorough=due)
        done.result = "partial" if _is_partial(done) else "ok"
    except (StoreError, RoomError, VaultError, IncompleteError) as error:
        done.reason = str(error)
    except Exception as error:
        # Never a run without a result; where it came from is in the log.
        traceback.print_exc()
        done.reason = f"{type(error).__name__}: {error}"
    done.finished = status.now()
    return done


@dataclass(frozen=True)
class Course:
    """How a run tells what it does, in words and how far it is, and what it learns of the data on its way."""

    say: Say
    progress: Progress
    shrinking: Shrinking = field(default_factory=Shrinking)


@dataclass(frozen=True)
class Work:
    """What a run works with."""

    settings: Settings
    job: Job
    staging: Staging
    s3: Any
    index: Index


def _run(work: Work, course: Course, done: Run, *, thorough: bool) -> None:
    settings, job, staging, index = work.settings, work.job, work.staging, work.index
    say, step = course.say, course.progress.step
    try:
        vault.await_answer(repository(), CA)
        if new := vault.open_repository(PASSWORD, PASSWORD_BEFORE):
            say(new)
        _check_vault(settings, done)
        done.configuration = configuration.take_over(staging, wanted=job.configuration)
        # Before a moment of the log is marked, which cannot be reached from a base backup that ends after it.
        based = job.log and _is_based(work.s3, done, say)
        # Without the log, rows are of the time of the dump.
        if fresh := thorough or not job.log:
            step("dumping the databases")
        dumped = dumps.make(settings, staging, done, say) if fresh else dumps.kept(staging, done)
        if fresh:
            course.shrinking.add(sum(dump.size for dump in dumped), DUMPS_SHRINK)
        if based:
            step("archiving the database's log")
            _archive(done, say)
        _collect(work, done, course)
        staging.drop_replaced(index)
        _count(index, done)
        _write_manifest(staging, index, done.started)
        step("writing the snapshot")
        done.snapshot = vault.back_up(staging.snapshot, job.name, _tags(work, done), course.shrinking.mode)
        step("comparing")
        checking.compare(staging, index, done, dumped)
        if thorough:
            step("reading back from the vault")
            checking.read_back(staging, index, done, dumped)
            dumps.keep(staging, done)
            say(f"snapshot of {done.objects - done.unreadable} objects read back")
        done.usage = {"staging": staging.used(), "vault": vault.used(repository(), CA)}
        done.warnings += status.usage_warnings(done.usage, settings.limits)
        done.usage["disk_free"] = staging.free()
    finally:
        course.progress.end()
        index.close()


def _tags(work: Work, done: Run) -> list[str]:
    """What the snapshot holds. A database that could not be dumped is not in it.

    The numbers tell a restore which snapshots are of a stack that had just been emptied: a new database
    begins its archive at once.
    """
    job, buckets = work.job, done.buckets.items()
    sources = [f"{series.BUCKET}{name}" for name in job.buckets]
    sources += [f"{series.DATABASE}{name}" for name in done.databases]
    sources += [series.LOG] * job.log + [series.CONFIGURATION] * bool(done.configuration)
    objects = sum(found["objects"] for name, found in buckets if name != archived.BUCKET)
    rows = sum(dumps.rows(work.settings, work.staging, name) for name in done.databases)
    state = "partial" if _is_partial(done) else "complete"
    numbers: dict[str, object] = {"objects": objects, "rows": rows}
    if done.log_until:
        numbers[series.LOG_UNTIL] = done.log_until
    return [state, *series.tags(job.name, sources, **numbers)]


def _is_partial(done: Run) -> bool:
    return bool(done.unreadable or done.unreadable_databases)


def _is_based(s3: Any, done: Run, say: Say) -> bool:
    """Whether the log has a base backup; a run that finds none names it and goes on."""
    try:
        archive.await_base(s3)
    except DatabaseError as error:
        _report_archive(error, done, say)
        return False
    return True


def _archive(done: Run, say: Say) -> None:
    """Have the database's log archived up to now. What is in the way is named, and the run goes on."""
    try:
        done.log_until = archive.switch()
    except DatabaseError as error:
        _report_archive(error, done, say)


def _report_archive(error: DatabaseError, done: Run, say: Say) -> None:
    done.unreadable_databases.append({"name": archive.NAME, "reason": str(error)})
    say(f"the {archive.NAME} of the database is not complete: {error}")


def _check_vault(settings: Settings, done: Run) -> None:
    used, limit = vault.used(repository(), CA), settings.limits["vault"]
    done.usage = {"vault": used}
    if used >= limit:
        raise RoomError(
            f"the vault holds {used} bytes and may hold {limit}: raise backup.vault_capacity, or "
            "keep fewer snapshots by backup.retention"
        )


def _collect(work: Work, done: Run, course: Course) -> None:
    """List and fetch; again where a base backup ended meanwhile: it has files that were not listed."""
    staging, index, progress = work.staging, work.index, course.progress
    for _ in range(COLLECT_TRIES):
        before = archive.catalogues(work.s3) if work.job.log else set()
        progress.step("listing the store")
        _list(work.job, work.s3, index)
        staging.drop_deleted(index)
        staging.borrow(index)
        staging.check_room(index.missing_bytes(), work.settings.limits["staging"])
        progress.step("fetching", *index.missing_totals())
        _fetch(staging, work.s3, index, done, course)
        if not work.job.log or archive.catalogues(work.s3) == before:
            return
    done.warnings.append("base backups ended all the time: the newest one may be incomplete in this snapshot")


def _list(job: Job, s3: Any, index: Index) -> None:
    index.begin()
    for bucket in job.buckets:
        for page in store.listing(s3, bucket):
            index.add(page)


def _fetch(staging: Staging, s3: Any, index: Index, done: Run, course: Course) -> None:
    for fetched in store.fetch(s3, index.missing(), staging.temporary):
        course.progress.add(1, fetched.wanted.size)
        if fetched.path:
            course.shrinking.add(fetched.got.size, fetched.shrinks)
            index.record(fetched.got, fetched.sha256, fetched.headers)
            staging.keep(fetched.path, fetched.got.file)
            done.fetched += 1
        elif fetched.reason:
            index.unreadable(fetched.wanted, fetched.reason)
        else:
            index.drop(fetched.wanted)
            done.gone += 1


def _count(index: Index, done: Run) -> None:
    done.buckets = index.totals()
    done.objects = sum(bucket["objects"] for bucket in done.buckets.values())
    done.bytes = sum(bucket["bytes"] for bucket in done.buckets.values())
    done.unreadable = sum(bucket["unreadable"] for bucket in done.buckets.values())
    done.unreadable_objects = index.failures(status.NAMED)


def _write_manifest(staging: Staging, index: Index, taken: str) -> None:
    part = staging.temporary / "manifest"
    with part.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in manifest(taken, index.saved()))
    os.replace(part, staging.manifest)
