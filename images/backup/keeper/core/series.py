"""Which snapshots hold what, and which of them a restore takes for each source. Pure.

Each job's snapshots are a series of their own. Tags say of which job a snapshot is and what it holds, so that
a listing is enough to choose. One without the name of a job is of an earlier release, and holds everything.
A source is `bucket/NAME`, `database/NAME`, `log` (the archive of all databases) or `configuration`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

BUCKET, DATABASE = "bucket/", "database/"
LOG, CONFIGURATION = "log", "configuration"
LOG_UNTIL = "log_until"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Pick:
    """The snapshot for a source, and how many newer ones were passed over as they are of an emptied stack."""

    snapshot: Snapshot
    passed_over: int = 0


def tags(job: str, sources: Iterable[str], **values: object) -> list[str]:
    """What a snapshot is tagged with besides its state; `values` as `name=value`."""
    return [f"job={job}", *(f"{name}={value}" for name, value in values.items()), *sources]


def tags_of(snapshot: Snapshot) -> Sequence[str]:
    return [str(tag) for tag in snapshot.get("tags") or ()]


def value(snapshot: Snapshot, name: str) -> str:
    """What a tag `name=value` says; empty without one."""
    start = f"{name}="
    return next((tag.removeprefix(start) for tag in tags_of(snapshot) if tag.startswith(start)), "")


def job_of(snapshot: Snapshot) -> str:
    """Empty for one of an earlier release, and where the writer chose a tag that is no name of a job."""
    name = value(snapshot, "job")
    return name if NAME.fullmatch(name) else ""


def holds(snapshot: Snapshot, source: str) -> bool:
    return not job_of(snapshot) or source in tags_of(snapshot)


def sources_of(snapshots: Iterable[Snapshot]) -> tuple[str, ...]:
    """Everything that is named by a tag of any of them."""
    found = {tag for s in snapshots for tag in tags_of(s) if tag.startswith((BUCKET, DATABASE))}
    found |= {tag for s in snapshots for tag in tags_of(s) if tag in (LOG, CONFIGURATION)}
    return tuple(sorted(found))


def moment_of(snapshot: Snapshot) -> datetime:
    """When it was taken, as restic lists it."""
    # The containers' clocks are UTC; Python 3.11 knows no nanoseconds.
    return datetime.fromisoformat(str(snapshot["time"])[:19] + "+00:00")


def reach(snapshot: Snapshot) -> datetime | None:
    """Until when its log goes, which is not when it was taken: the archive may have been cut off by then.

    One of an earlier release does not say so; its log goes as far where the whole snapshot was complete.
    """
    if not holds(snapshot, LOG):
        return None
    try:
        said = value(snapshot, LOG_UNTIL)
        if said:
            return min(datetime.fromisoformat(said).astimezone(UTC), moment_of(snapshot))
    except ValueError:
        return None
    return moment_of(snapshot) if "partial" not in tags_of(snapshot) else None


def arrival(snapshot: Snapshot) -> str:
    """What orders them; finer than `moment_of`."""
    return str(snapshot["time"])


def of_emptied(snapshot: Snapshot, source: str) -> bool:
    """Whether it was taken of a stack that held nothing of this kind: one that had just been emptied."""
    found = tags_of(snapshot)
    if source.startswith(DATABASE) and job_of(snapshot):
        return "rows=0" in found
    return "objects=0" in found


def until(snapshots: Iterable[Snapshot], at: str | None) -> list[Snapshot]:
    """Those taken until `at` (RFC 3339), the newest first; all without it."""
    end = datetime.fromisoformat(at) if at else None
    known = [s for s in snapshots if end is None or moment_of(s) <= end]
    return sorted(known, key=arrival, reverse=True)


def pick(snapshots: Iterable[Snapshot], source: str, at: str | None, *, emptied: bool = False) -> Pick | None:
    """The newest snapshot that holds the source, or with `at` the newest of those until then.

    One of an emptied stack is passed over, unless it is asked for: by `at`, or with `emptied`.
    """
    found = [s for s in until(snapshots, at) if holds(s, source)]
    if at is None and not emptied:
        for passed, snapshot in enumerate(found):
            if not of_emptied(snapshot, source):
                return Pick(snapshot, passed)
    return Pick(found[0]) if found else None


def compose(
    snapshots: Sequence[Snapshot], sources: Iterable[str], at: str | None, *, emptied: bool = False
) -> dict[str, Pick]:
    """Source → its snapshot; a source that none holds is left out.

    All databases together come from one snapshot with their log where that reaches further than any dump.
    """
    wanted = tuple(sources)
    picks = {source: pick(snapshots, source, at, emptied=emptied) for source in wanted}
    found = {source: one for source, one in picks.items() if one}
    databases = [source for source in wanted if source.startswith(DATABASE)]
    if databases and at and (replayed := replayable(snapshots, databases, at)):
        found |= dict.fromkeys(databases, Pick(replayed))
    return found


def replayable(snapshots: Sequence[Snapshot], databases: Sequence[str], at: str) -> Snapshot | None:
    """A snapshot until `at` from which a later one's log can be replayed up to that time."""
    if not reaching(snapshots, at):
        return None
    logs = [s for s in snapshots if holds(s, LOG)]
    return next((s for s in until(logs, at) if all(holds(s, name) for name in databases)), None)


def reaching(snapshots: Iterable[Snapshot], at: str) -> list[Snapshot]:
    """Those whose log goes as far as `at`, the first that was taken first."""
    end = datetime.fromisoformat(at)
    found = [s for s in snapshots if (until := reach(s)) and until >= end]
    return sorted(found, key=arrival)


def newest_of_each(snapshots: Iterable[Snapshot], at: str | None) -> list[Snapshot]:
    """The newest snapshot of each job, or with `at` the newest of those until then."""
    found: dict[str, Snapshot] = {}
    for snapshot in until(snapshots, at):
        found.setdefault(job_of(snapshot), snapshot)
    return list(found.values())


def with_log(found: Mapping[str, Pick]) -> Snapshot | None:
    """The one snapshot that all databases among these come from, if it holds their log."""
    given = {str(p.snapshot["id"]): p.snapshot for source, p in found.items() if source.startswith(DATABASE)}
    only = next(iter(given.values())) if len(given) == 1 else None
    return only if only and holds(only, LOG) else None


def parts(found: Mapping[str, Pick]) -> list[tuple[Snapshot, tuple[str, ...]]]:
    """Each snapshot that is needed with its sources, the newest first."""
    by_name: dict[str, list[str]] = {}
    snapshots = {str(one.snapshot["id"]): one.snapshot for one in found.values()}
    for source, one in found.items():
        by_name.setdefault(str(one.snapshot["id"]), []).append(source)
    ordered = sorted(snapshots.values(), key=arrival, reverse=True)
    return [(s, tuple(by_name[str(s["id"])])) for s in ordered]
