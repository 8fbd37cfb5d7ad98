"""`make restore`: buckets and databases out of the vault back into the running, emptied stack.

Each comes from the newest snapshot that holds it, whichever job that is of.

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
from pathlib import Path
from typing import Any

from ..core import series
from ..core.progress import Progress
from ..core.settings import STAGING, Place
from ..core.status import write
from ..sources import store, vault
from ..sources.databases import DatabaseError
from ..sources.store import StoreError
from ..sources.vault import VaultError
from . import refill, reload
from .ledger import Ledger
from .restore import RestoreError, entries

NOTE = STAGING / "restore.json"
SHOWN = 20


@dataclass(frozen=True)
class Order:
    """`initial` maps a database to its tables that a service fills by itself, with how many rows at most.

    `roles` maps a database to its owner and that role's password, `s3` is an id and its key. `among` names
    the snapshots that may be taken, when not all. With `hold` no backup begins after the restore until
    whoever asked for it says so, since there is more to be put back.
    """

    buckets: tuple[str, ...]
    databases: tuple[str, ...]
    at: str | None = None
    among: tuple[str, ...] | None = None
    initial: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    s3: tuple[str, str] = field(default=("", ""), repr=False)
    roles: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    hold: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        return (
            *(f"{series.BUCKET}{name}" for name in self.buckets),
            *(f"{series.DATABASE}{name}" for name in self.databases),
        )


def read(line: str) -> Order:
    """Raises RestoreError."""
    try:
        given = json.loads(line)
        return Order(
            tuple(given["buckets"]),
            tuple(given["databases"]),
            given.get("at"),
            None if given.get("among") is None else tuple(given["among"]),
            given.get("initial", {}),
            tuple(given.get("s3", ("", ""))),
            {name: tuple(pair) for name, pair in given.get("roles", {}).items()},
            given.get("hold") is True,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RestoreError("standard input holds no order: this is a part of `make restore`") from None


# -- which snapshot ----------------------------------------------------------------------------------------


def choose(
    snapshots: Sequence[series.Snapshot], order: Order, begun: Mapping[str, str]
) -> dict[str, series.Pick]:
    """Source → the snapshot to restore it from; one that no snapshot holds is left out.

    What was `begun` (source to the name of a snapshot) goes on from there, unless the order names a time.
    Snapshots of a stack that had just been emptied are passed over. Raises RestoreError.
    """
    known = [s for s in snapshots if order.among is None or s["id"] in order.among]
    if not series.until(known, order.at):
        raise RestoreError(f"the vault has no snapshot{f' until {order.at}' if order.at else ''}")
    found = series.compose(known, order.sources, order.at)
    by_name = {str(s["id"]): s for s in snapshots}
    if order.at is None:
        again = {source: by_name[name] for source, name in begun.items() if name in by_name}
        found |= {source: series.Pick(s) for source, s in again.items() if source in order.sources}
    return found


def _snapshots() -> list[Mapping[str, Any]]:
    listed = json.loads(vault.restic("snapshots", "--json", "--no-lock").stdout or "[]")
    return [s for s in listed if Path(s["paths"][0]).name == "snapshot"]


# -- what is to be done, and what stands in the way ----------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A snapshot and what is taken of it; `folder` is where it was saved from."""

    snapshot: str
    job: str
    taken: str
    folder: Path
    partial: bool
    sources: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        return {**vars(self), "folder": str(self.folder)}


@dataclass
class Plan:
    """`held`: source → what the stack holds there. `missing`: sources that no snapshot holds.

    `with_log` names the snapshot from which all databases come with their log; empty without one.
    """

    parts: list[Part]
    with_log: str = ""
    passed_over: int = 0
    resumes: bool = False
    buckets: dict[str, dict[str, int]] = field(default_factory=dict)
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def part_of(self, source: str) -> Part:
        """Raises StopIteration for one that is missing."""
        return next(part for part in self.parts if source in part.sources)

    def document(self) -> dict[str, Any]:
        tables = {
            name: {"tables": len(facts), "rows": sum(int(t["rows"]) for t in facts.values())}
            for name, facts in self.databases.items()
        }
        return {**vars(self), "parts": [part.document() for part in self.parts], "databases": tables}


@contextmanager
def planned(order: Order, s3: Any, progress: Progress) -> Iterator[tuple[Plan, Ledger]]:
    """The plan, and the objects that it is about. Raises RestoreError, VaultError and StoreError."""
    begun = _begun()
    picks = choose(_snapshots(), order, begun)
    plan = Plan([_part(*given) for given in series.parts(picks)])
    log = series.with_log(picks)
    plan.with_log = str(log["id"]) if log else ""
    plan.passed_over = max((pick.passed_over for pick in picks.values()), default=0)
    plan.missing = [source for source in order.sources if source not in picks]
    same = [
        source for source, name in begun.items() if source in picks and picks[source].snapshot["id"] == name
    ]
    plan.resumes = bool(same)
    room = STAGING / "restoring"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        with Ledger(room / "ledger.sqlite") as ledger:
            progress.step("reading the manifest")
            wanted = [b for b in order.buckets if f"{series.BUCKET}{b}" not in plan.missing]
            for bucket in wanted:
                part = plan.part_of(f"{series.BUCKET}{bucket}")
                ledger.add(entries(part.snapshot, bucket, folder=part.folder))
            plan.buckets = {bucket: {"objects": 0, "bytes": 0, "lost": 0} for bucket in wanted}
            plan.buckets |= ledger.buckets()
            _look_at_databases(order, plan, same)
            progress.step("listing the store")
            for bucket in wanted:
                if text := _held(s3, bucket, ledger, f"{series.BUCKET}{bucket}" in same):
                    plan.held[f"{series.BUCKET}{bucket}"] = text
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


def _part(snapshot: series.Snapshot, sources: tuple[str, ...]) -> Part:
    return Part(
        str(snapshot["id"]),
        series.job_of(snapshot),
        str(snapshot["time"]),
        Path(snapshot["paths"][0]),
        "partial" in series.tags_of(snapshot),
        sources,
    )


def _look_at_databases(order: Order, plan: Plan, begun: Sequence[str]) -> None:
    there: dict[str, tuple[str, ...]] = {}
    for name in order.databases:
        source = f"{series.DATABASE}{name}"
        if source in plan.missing:
            continue
        part = plan.part_of(source)
        if part.snapshot not in there:
            there[part.snapshot] = reload.names(part.snapshot, part.folder)
        if name not in there[part.snapshot]:  # One of an earlier release does not say what it holds.
            plan.missing.append(source)
            continue
        plan.databases[name] = reload.recorded(part.snapshot, part.folder, name)
        if source in begun:
            continue
        if rows := own_rows(reload.facts(name), order.initial.get(name, {})):
            plan.held[source] = ", ".join(f"{n} rows in {table}" for table, n in rows.items())


def own_rows(facts: Mapping[str, Any], initial: Mapping[str, int]) -> dict[str, int]:
    """Table → rows, where it has more than its service fills in by itself."""
    counted = {table: int(found["rows"]) for table, found in facts.items()}
    return {table: rows for table, rows in counted.items() if rows > initial.get(table, 0)}


def _begun() -> dict[str, str]:
    """Source → the snapshot from which an interrupted restore was putting it back."""
    try:
        return {str(source): str(name) for source, name in json.loads(NOTE.read_text())["begun"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
        vault.drop_own_locks()
        write(NOTE, {"begun": {source: part.snapshot for part in plan.parts for source in part.sources}})
        if ledger.totals("there")[0]:
            refill.verify(s3, ledger, "there", progress, "objects from before the interruption")
        for part in plan.parts:
            buckets = frozenset(b for b in plan.buckets if f"{series.BUCKET}{b}" in part.sources)
            copies = refill.Copies(part.snapshot, part.folder, STAGING / "restoring", buckets)
            refill.refill(copies, s3, ledger, progress)
        refill.verify(s3, ledger, "put", progress, "reading the objects back")
        faults = list(_databases(order, plan, progress))
        failed, lost = ledger.outstanding() + len(faults), ledger.totals("lost")[0] + len(plan.missing)
        if not failed and not order.hold:
            finish()
        objects, size = ledger.totals("verified")
        return {
            "result": "failed" if failed else "partial" if lost else "ok",
            "snapshots": [part.snapshot for part in plan.parts],
            "objects": objects,
            "bytes": size,
            "databases": plan.document()["databases"],
            "failed": failed,
            "lost": lost,
            "missing": plan.missing,
            "faults": [*faults, *ledger.faults(SHOWN)][:SHOWN],
            "seconds": round(time.monotonic() - started, 1),
        }


def finish() -> None:
    """All is back: nothing goes on from here."""
    NOTE.unlink(missing_ok=True)


def _databases(order: Order, plan: Plan, progress: Progress) -> Iterator[str]:
    """After the objects, so that no row names one that is not there yet."""
    if plan.databases:
        progress.step("databases", len(plan.databases))
    for name, before in plan.databases.items():
        part = plan.part_of(f"{series.DATABASE}{name}")
        try:
            if not plan.resumes or reload.difference(before, reload.facts(name)):
                reload.reload(part.snapshot, part.folder, name, *order.roles[name])
            if fault := reload.difference(before, reload.facts(name)):
                yield f"database {name}: {fault}"
        except (DatabaseError, VaultError) as error:
            yield f"database {name}: {error}"
        progress.add(1)
    progress.end()


ERRORS = (RestoreError, VaultError, StoreError, DatabaseError)
