"""One backup: list the store, fetch what is new, append a snapshot, and compare it with the listing.

What the store does not give is named and left out, and the run ends as partial: all else is saved.
"""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import configuration, databases, status, store, vault
from .databases import DatabaseError, Dumped
from .index import Index
from .objects import manifest
from .progress import Progress
from .settings import CA, PASSWORD, PASSWORD_BEFORE, Settings, repository
from .staging import RoomError, Staging
from .status import Run
from .store import StoreError
from .vault import VaultError

# So much of the packs is read back each time, at random; a tenth, where that is less.
READ_BACK = 2**30
SAMPLE = 256 * 2**20
Say = Callable[[str], None]


class IncompleteError(Exception):
    """The snapshot does not hold what was listed; the text says what is missing."""


def run(settings: Settings, staging: Staging, s3: Any, say: Say, progress: Progress | None = None) -> Run:
    """Do all of it, and never raise: what went wrong is in the result."""
    done = Run(started=status.now())
    try:
        _run(settings, staging, s3, Course(say, progress or Progress()), done)
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
    """How a run tells what it does: in words, and how far it is."""

    say: Say
    progress: Progress


def _run(settings: Settings, staging: Staging, s3: Any, course: Course, done: Run) -> None:
    index = staging.prepare()
    say, step = course.say, course.progress.step
    try:
        if new := vault.open_repository(PASSWORD, PASSWORD_BEFORE):
            say(new)
        vault.drop_own_locks()
        _check_vault(settings, done)
        done.configuration = configuration.take_over(staging)
        step("dumping the databases", len(settings.databases))
        dumps = _dump(settings, staging, done, course)
        step("listing the store")
        _list(settings, s3, index)
        staging.drop_deleted(index)
        staging.check_room(index.missing_bytes(), settings.limits["staging"])
        step("fetching", *index.missing_totals())
        _fetch(staging, s3, index, done, course.progress)
        staging.drop_replaced(index)
        _count(index, done)
        _write_manifest(staging, index, done.started)
        # The number tells a restore which snapshots are of a store that had just been emptied.
        step("writing the snapshot")
        tags = ["partial" if _is_partial(done) else "complete", f"objects={done.objects}"]
        done.snapshot = vault.back_up(staging.snapshot, tags)
        step("comparing")
        _compare(staging, index, done, dumps)
        step("reading back from the vault")
        _read_back(staging, index, done, dumps)
        say(f"snapshot of {done.objects - done.unreadable} objects read back")
        done.usage = {"staging": staging.used(), "vault": vault.used(repository(), CA)}
        done.warnings = status.usage_warnings(done.usage, settings.limits)
        done.usage["disk_free"] = staging.free()
    finally:
        course.progress.end()
        index.close()


def _is_partial(done: Run) -> bool:
    return bool(done.unreadable or done.unreadable_databases)


def _dump(settings: Settings, staging: Staging, done: Run, course: Course) -> list[Dumped]:
    """Every declared database; one that cannot be dumped is named, and the run goes on."""
    databases.drop_others(settings.databases, staging)
    dumps = []
    for name in settings.databases:
        try:
            staging.check_room(databases.size(name), settings.limits["staging"])
            dumped = databases.dump(name, staging)
        except (DatabaseError, RoomError) as error:
            databases.drop(name, staging)
            done.unreadable_databases.append({"name": name, "reason": str(error)})
            course.say(f"database {name} could not be read: {error}")
        else:
            dumps.append(dumped)
            done.databases[name] = {
                "bytes": dumped.size, "sha256": dumped.sha256, "tables": dumped.tables
            }  # fmt: skip
        course.progress.add(1)
    return dumps


def _check_vault(settings: Settings, done: Run) -> None:
    used, limit = vault.used(repository(), CA), settings.limits["vault"]
    done.usage = {"vault": used}
    if used >= limit:
        raise RoomError(
            f"the vault holds {used} bytes and may hold {limit}: raise backup.vault_capacity, or "
            "keep fewer snapshots by backup.retention"
        )


def _list(settings: Settings, s3: Any, index: Index) -> None:
    index.begin()
    for bucket in settings.buckets:
        for page in store.listing(s3, bucket):
            index.add(page)


def _fetch(staging: Staging, s3: Any, index: Index, done: Run, progress: Progress) -> None:
    for fetched in store.fetch(s3, index.missing(), staging.temporary):
        progress.add(1, fetched.wanted.size)
        if fetched.path:
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


def _compare(staging: Staging, index: Index, done: Run, dumps: list[Dumped]) -> None:
    """Every object of the listing and every dump is in the snapshot with its size, or was reported."""
    held = 0
    dumped = {dump.file: dump.size for dump in dumps}
    facts = {Path(dump.file).with_suffix(".json").as_posix() for dump in dumps}
    for file, size in vault.files(done.snapshot, staging.snapshot):
        if file == staging.manifest.name or file in facts or file in done.configuration:
            continue
        if file in dumped:
            if dumped.pop(file) != size:
                raise IncompleteError(f"snapshot {done.snapshot[:8]} holds {file} with another size")
            continue
        if index.size_of(file) != size or not index.wanted(file):
            raise IncompleteError(
                f"snapshot {done.snapshot[:8]} holds {file} with {size} bytes, unlike the listing"
            )
        held += 1
    if dumped:
        raise IncompleteError(f"snapshot {done.snapshot[:8]} does not hold {', '.join(dumped)}")
    if held != index.files():
        raise IncompleteError(
            f"snapshot {done.snapshot[:8]} holds {held} objects, the listing {index.files()}"
        )


def _read_back(staging: Staging, index: Index, done: Run, dumps: list[Dumped]) -> None:
    """The manifest, the dumps and one object as the vault gives them, then a part of all packs."""
    subset = "10%" if done.usage["vault"] < 10 * READ_BACK else f"{READ_BACK >> 20}M"
    vault.compare(done.snapshot, staging.manifest, vault.digest_of(staging.manifest))
    for file, digest in done.configuration.items():
        vault.compare(done.snapshot, staging.snapshot / file, digest)
    for dump in dumps:
        vault.compare(done.snapshot, staging.snapshot / dump.file, dump.sha256)
    candidates = [file for file, size in index.sample(100) if size <= SAMPLE]
    if candidates:
        file = random.choice(candidates)
        vault.compare(done.snapshot, staging.snapshot / file, index.digest(file))
    vault.restic("check", "--quiet", f"--read-data-subset={subset}")
