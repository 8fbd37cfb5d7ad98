"""The database's own archive in a snapshot: base backups and the write-ahead log, from one bucket.

Before the store is listed the server is asked to archive its log up to now. A thorough run also marks a place
in the log at which it knows the rows of every table: a restore up to there is compared with them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core import status
from . import databases, store
from .archived import BUCKET, MOMENT, ROOT
from .databases import DatabaseError, View
from .staging import Staging

# What is in the way of a restore is reported under this name, among the databases.
NAME = "write-ahead log"
# These say which files of the archive belong together; they are the last to be written, and the first to go.
CATALOGUES = (f"{ROOT}backup/aidc/backup.info", f"{ROOT}archive/aidc/archive.info")
HISTORY = f"{ROOT}backup/aidc/backup.history/"
# Writes a commit to the log though nothing changes. A replay up to a time ends at the first commit after it
# and fails where there is none: without this one a database at rest would not come back to its last minutes.
COMMIT = "SELECT pg_current_xact_id()"
ARCHIVED_WITHIN = 60
BASE_WITHIN = 90
QUIET_TRIES = 40


@dataclass
class Moment:
    """A place in the log, and a view of each database's rows. `exact`: nothing was written between them."""

    lsn: str = ""
    time: str = ""
    exact: bool = False
    views: dict[str, View] = field(default_factory=dict)


@contextmanager
def moment(names: Sequence[str]) -> Iterator[Moment]:
    """Mark a moment at which no transaction writes; if there is none, the views are a little older than it.

    A database that cannot be reached has no view. Raises DatabaseError when nothing can be marked.
    """
    for attempt in range(QUIET_TRIES):
        with ExitStack() as stack:
            found = Moment()
            for name in names:
                try:
                    found.views[name] = stack.enter_context(databases.view(name))
                except DatabaseError:
                    continue
            seen = {view.seen for view in found.views.values()}
            last = attempt == QUIET_TRIES - 1
            if last or _is_quiet(seen):
                found.lsn, found.time, after = _mark()
                found.exact = _is_quiet({*seen, after})
                if last or found.exact:
                    yield found
                    return
        time.sleep(0.1)


def _is_quiet(seen: set[str]) -> bool:
    """Whether all snapshots (`xmin:xmax:running`) are the same and no transaction that writes was under way.

    One under way may have written its end to the log already, without others seeing its rows yet.
    """
    if len(seen) != 1:
        return False
    first, last, running = next(iter(seen)).split(":")
    return first == last and not running


def _mark() -> tuple[str, str, str]:
    """Place and time of a restore point, and the snapshot after it."""
    point = "SELECT pg_create_restore_point('aidc backup')"
    after = "SELECT clock_timestamp() AT TIME ZONE 'UTC', pg_current_snapshot()"
    lsn, line = databases.ask(point, after).splitlines()
    moment, seen = line.split("|")
    return lsn, f"{moment.replace(' ', 'T')}+00:00", seen


def record(found: Moment, facts: dict[str, Any], staging: Staging) -> None:
    """Leave the moment in the snapshot. What changed around it cannot be compared: it is named."""
    changed: dict[str, list[str]] = {}
    if not found.exact:
        for name, tables in facts.items():
            with databases.view(name) as view:
                after = json.loads(view.facts())
            changed[name] = sorted(t for t in {*tables, *after} if tables.get(t) != after.get(t))
    content = {"lsn": found.lsn, "time": found.time, "facts": facts, "changed": changed}
    path_of(staging).write_text(json.dumps(content) + "\n")


def path_of(staging: Staging) -> Path:
    return staging.snapshot / MOMENT


def switch() -> str:
    """Ask for the log up to now to be archived, and wait for it; the moment of the request.

    Raises DatabaseError when it is not archived in time.
    """
    asked = status.now()
    # The place after the segment that was ended, or its beginning where it holds nothing yet.
    segment = databases.ask(COMMIT, "SELECT pg_walfile_name(pg_switch_wal() - 1)").split()[-1]
    deadline = time.monotonic() + ARCHIVED_WITHIN
    question = (
        "SELECT left(last_archived_wal, 24), last_archived_time, last_failed_time FROM pg_stat_archiver"
    )
    while True:
        last, archived, failed = databases.ask(question).strip().split("|")
        if last >= segment:
            return asked
        if time.monotonic() > deadline:
            why = f"the last failure was at {failed}" if failed else "no failure is known"
            raise DatabaseError(
                f"segment {segment} was not archived within {ARCHIVED_WITHIN} s; the last one was "
                f"{last or 'none'}, at {archived or 'no time'}, and {why}: `make status` says what is wrong"
            )
        time.sleep(0.2)


def await_base(s3: Any) -> None:
    """Wait for the first base backup of a new stack. Raises DatabaseError and StoreError."""
    deadline = time.monotonic() + BASE_WITHIN
    while not any(store.listing(s3, BUCKET, HISTORY)):
        if time.monotonic() > deadline:
            raise DatabaseError("there is no base backup yet, and without one the log cannot be restored")
        time.sleep(2)


def catalogues(s3: Any) -> set[tuple[str, str]]:
    """Key and ETag of the files that say what belongs together. Raises StoreError."""
    pages = (page for prefix in CATALOGUES for page in store.listing(s3, BUCKET, prefix))
    return {(entry.key, entry.etag) for page in pages for entry in page}
