"""`make restore`: buckets and databases of a snapshot back into the running, emptied stack.

What to do, and with whose keys, comes as JSON on standard input; the backup's own may only read. Everything
is checked before anything is written. A note in staging says what has been begun, so that a restore that was
interrupted goes on where it was; whatever else the stack holds by then is never overwritten.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import refill, reload, store, vault
from .databases import DatabaseError
from .drill import moment_of
from .ledger import Ledger
from .progress import Progress
from .restore import RestoreError, entries
from .settings import STAGING, Place
from .status import write
from .store import StoreError
from .vault import VaultError

NOTE = STAGING / "restore.json"
SHOWN = 20


@dataclass(frozen=True)
class Order:
    """`initial` maps a database to its tables that a service fills by itself, with how many rows at most.

    `roles` maps a database to its owner and that role's password, `s3` is an id and its key.
    """

    buckets: tuple[str, ...]
    databases: tuple[str, ...]
    at: str | None = None
    snapshot: str | None = None
    initial: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    s3: tuple[str, str] = field(default=("", ""), repr=False)
    roles: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)


def read(line: str) -> Order:
    """Raises RestoreError."""
    try:
        given = json.loads(line)
        return Order(
            tuple(given["buckets"]),
            tuple(given["databases"]),
            given.get("at"),
            given.get("snapshot"),
            given.get("initial", {}),
            tuple(given.get("s3", ("", ""))),
            {name: tuple(pair) for name, pair in given.get("roles", {}).items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RestoreError("standard input holds no order: this is a part of `make restore`") from None


# -- which snapshot ----------------------------------------------------------------------------------------


def choose(
    snapshots: Sequence[Mapping[str, Any]], at: str | None, name: str | None
) -> tuple[Mapping[str, Any], int]:
    """The snapshot to restore, and how many newer ones were passed over as they hold no object at all.

    Those are what the backup saved of a store that had just been emptied. Raises RestoreError.
    """
    if name:
        found = [s for s in snapshots if str(s["id"]).startswith(name)]
        if len(found) != 1:
            raise RestoreError(f"the vault has {'no' if not found else 'more than one'} snapshot {name}")
        return found[0], 0
    until = datetime.fromisoformat(at) if at else None
    known = [s for s in snapshots if until is None or moment_of(s) <= until]
    if not known:
        raise RestoreError(f"the vault has no snapshot{f' until {at}' if at else ''}")
    newest_first = sorted(known, key=lambda s: str(s["time"]), reverse=True)
    if at is None:
        for passed, snapshot in enumerate(newest_first):
            if "objects=0" not in (snapshot.get("tags") or ()):
                return snapshot, passed
    return newest_first[0], 0


def _snapshots() -> list[Mapping[str, Any]]:
    listed = json.loads(vault.restic("snapshots", "--json", "--no-lock").stdout or "[]")
    return [s for s in listed if Path(s["paths"][0]).name == "snapshot"]


# -- what is to be done, and what stands in the way ----------------------------------------------------------


@dataclass
class Plan:
    """`held`: source → what the stack holds there. `missing`: sources that the snapshot does not have."""

    snapshot: str
    taken: str
    folder: Path
    partial: bool
    passed_over: int = 0
    resumes: bool = False
    buckets: dict[str, dict[str, int]] = field(default_factory=dict)
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        tables = {
            name: {"tables": len(facts), "rows": sum(int(t["rows"]) for t in facts.values())}
            for name, facts in self.databases.items()
        }
        return {**vars(self), "folder": str(self.folder), "databases": tables}


@contextmanager
def planned(order: Order, s3: Any, progress: Progress) -> Iterator[tuple[Plan, Ledger]]:
    """The plan, and the objects that it is about. Raises RestoreError, VaultError and StoreError."""
    note = _note()
    wanted = order.snapshot or (note.get("snapshot") if order.at is None else None)
    chosen, passed = choose(_snapshots(), order.at, wanted)
    folder = Path(chosen["paths"][0])
    plan = Plan(chosen["id"], chosen["time"], folder, "partial" in (chosen.get("tags") or ()), passed)
    plan.resumes = note.get("snapshot") == plan.snapshot
    begun = set(note.get("sources", ())) if plan.resumes else set()
    room = STAGING / "restoring"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        with Ledger(room / "ledger.sqlite") as ledger:
            progress.step("reading the manifest")
            for bucket in order.buckets:
                ledger.add(entries(plan.snapshot, bucket, folder=folder))
            plan.buckets = {bucket: {"objects": 0, "bytes": 0, "lost": 0} for bucket in order.buckets}
            plan.buckets |= ledger.buckets()
            _look_at_databases(order, plan, begun)
            progress.step("listing the store")
            for bucket in order.buckets:
                if text := _held(s3, bucket, ledger, f"bucket/{bucket}" in begun):
                    plan.held[f"bucket/{bucket}"] = text
            progress.end()
            yield plan, ledger
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _held(s3: Any, bucket: str, ledger: Ledger, begun: bool) -> str:
    """What the bucket holds that we did not put there; empty when that is nothing."""
    count, first = 0, ""
    for page in store.listing(s3, bucket):
        for listed in page:
            if begun and ledger.knows(bucket, listed.key):
                ledger.present(bucket, listed.key)
                continue
            count, first = count + 1, first or listed.key
    return f"{count} object{'s' if count > 1 else ''}, {first!r:.80} among them" if count else ""


def _look_at_databases(order: Order, plan: Plan, begun: set[str]) -> None:
    there = reload.names(plan.snapshot, plan.folder) if order.databases else ()
    for name in order.databases:
        if name not in there:
            plan.missing.append(f"database/{name}")
            continue
        plan.databases[name] = reload.recorded(plan.snapshot, plan.folder, name)
        if f"database/{name}" in begun:
            continue
        if rows := own_rows(reload.facts(name), order.initial.get(name, {})):
            plan.held[f"database/{name}"] = ", ".join(f"{n} rows in {table}" for table, n in rows.items())


def own_rows(facts: Mapping[str, Any], initial: Mapping[str, int]) -> dict[str, int]:
    """Table → rows, where it has more than its service fills in by itself."""
    counted = {table: int(found["rows"]) for table, found in facts.items()}
    return {table: rows for table, rows in counted.items() if rows > initial.get(table, 0)}


def _note() -> dict[str, Any]:
    try:
        return dict(json.loads(NOTE.read_text()))
    except (OSError, ValueError):
        return {}


# -- doing it ------------------------------------------------------------------------------------------------


def recover(order: Order, place: Place, progress: Progress) -> dict[str, Any]:
    """Restore and compare. Raises RestoreError where something is in the way, VaultError and StoreError."""
    started = time.monotonic()
    s3 = store.client(place, *order.s3)
    with planned(order, s3, progress) as (plan, ledger):
        if plan.held:
            text = "; ".join(f"{source} holds {what}" for source, what in plan.held.items())
            raise RestoreError(f"the stack is not empty: {text}")
        sources = [*(f"bucket/{b}" for b in order.buckets), *(f"database/{d}" for d in plan.databases)]
        vault.drop_own_locks()
        write(NOTE, {"snapshot": plan.snapshot, "sources": sources})
        if ledger.totals("there")[0]:
            refill.verify(s3, ledger, "there", progress, "objects from before the interruption")
        copies = refill.Copies(plan.snapshot, plan.folder, STAGING / "restoring")
        refill.refill(copies, s3, ledger, progress)
        refill.verify(s3, ledger, "put", progress, "reading the objects back")
        faults = list(_databases(order, plan, progress))
        failed, lost = ledger.outstanding() + len(faults), ledger.totals("lost")[0] + len(plan.missing)
        if not failed:
            NOTE.unlink(missing_ok=True)
        objects, size = ledger.totals("verified")
        return {
            "result": "failed" if failed else "partial" if lost else "ok",
            "snapshot": plan.snapshot,
            "taken": plan.taken,
            "objects": objects,
            "bytes": size,
            "databases": plan.document()["databases"],
            "failed": failed,
            "lost": lost,
            "missing": plan.missing,
            "faults": [*faults, *ledger.faults(SHOWN)][:SHOWN],
            "seconds": round(time.monotonic() - started, 1),
        }


def _databases(order: Order, plan: Plan, progress: Progress) -> Iterator[str]:
    """After the objects, so that no row names one that is not there yet."""
    if plan.databases:
        progress.step("databases", len(plan.databases))
    for name, before in plan.databases.items():
        try:
            if not plan.resumes or reload.difference(before, reload.facts(name)):
                reload.reload(plan.snapshot, plan.folder, name, *order.roles[name])
            if fault := reload.difference(before, reload.facts(name)):
                yield f"database {name}: {fault}"
        except (DatabaseError, VaultError) as error:
            yield f"database {name}: {error}"
        progress.add(1)
    progress.end()


ERRORS = (RestoreError, VaultError, StoreError, DatabaseError)
