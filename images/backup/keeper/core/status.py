"""The state of the jobs as a document, and what to say of it. Pure, but for the file itself.

`running_since` and `run` of one job are an entry; the document holds the entry of each job.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from .cron import due
from .objects import shown

SCHEMA = "aidc.backup/1"
Entry = Mapping[str, Any]
NAMED = 20  # unreadable objects that the document names; it counts all
GRACE = timedelta(minutes=15)  # a run is late so long after it was due
WARN_PERCENT = 80

Result = Literal["ok", "partial", "failed"]
State = Literal["ok", "partial", "failed", "running", "late", "none"]
EXIT_CODES: Mapping[str, int] = {"ok": 0, "failed": 1, "partial": 3}
# The worst first: what all jobs together are.
WORST: Sequence[State] = ("failed", "late", "none", "running", "partial", "ok")


@dataclass
class Run:
    """One run. Times in RFC 3339, sizes in bytes; `objects` is what the store listed."""

    started: str
    finished: str = ""
    result: Result = "failed"
    reason: str = ""
    snapshot: str = ""
    objects: int = 0
    bytes: int = 0
    fetched: int = 0
    gone: int = 0  # deleted between the listing and the reading
    buckets: dict[str, dict[str, int]] = field(default_factory=dict)
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    log_until: str = ""  # the database's log is archived up to then
    configuration: dict[str, str] = field(default_factory=dict)  # file to its SHA-256
    unreadable_databases: list[dict[str, str]] = field(default_factory=list)
    unreadable: int = 0
    unreadable_objects: list[dict[str, str]] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def entry(run: Run, running_since: str | None = None) -> dict[str, Any]:
    return {"running_since": running_since, "run": asdict(run) if run.finished else None}


def entry_of(found: Mapping[str, Any] | None, job: str) -> Entry | None:
    """None when no run of the job was begun since the container started."""
    entries: Mapping[str, Entry] = (found or {}).get("jobs", {})
    return entries.get(job)


def with_entry(
    found: Mapping[str, Any] | None, job: str, given: Entry, known: Iterable[str]
) -> dict[str, Any]:
    """The document with another entry for `job`; entries of jobs that are not `known` go."""
    entries = dict((found or {}).get("jobs", {})) | {job: dict(given)}
    return {"schema": SCHEMA, "jobs": {name: entries[name] for name in known if name in entries}}


def overall(states: Iterable[State]) -> State:
    """The worst of them."""
    given = set(states)
    return next((state for state in WORST if state in given), "none")


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all: it is read at any moment."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")
    os.replace(part, path)


def read(path: Path) -> dict[str, Any] | None:
    """None when no run was begun since the container started, or when the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def state(found: Entry | None, schedule: str, moment: datetime) -> State:
    """The newest finished run's result; `running` when there is none yet, `late` when one did not come."""
    run = (found or {}).get("run")
    begun = (found or {}).get("running_since")
    newest = begun or (run and run["started"])
    if newest is None:
        return "none"
    expected, began = due(schedule, moment - GRACE), datetime.fromisoformat(newest)
    # One of the future: the clock was set back, and until it has caught up nothing would ever be late.
    if (expected and began < expected - timedelta(minutes=1)) or began > moment + GRACE:
        return "late"
    if run is None:
        return "running"
    result: State = run["result"]
    return result


def describe(found: Entry | None, what: State) -> str:
    """One line for a user on one job."""
    run = (found or {}).get("run")
    if what == "late":
        begun = (found or {}).get("running_since")
        return f"late: the newest run started at {begun or (run or {}).get('started')}"
    if run is None or what in ("none", "running"):
        return "the first backup is still running" if what == "running" else "there was no backup yet"
    if what == "failed":
        return f"failed: {run['reason']}"
    counted = f"{run['objects']} objects"
    if databases := len(run.get("databases", ())):
        counted += f" and {databases} database{'s' if databases > 1 else ''}"
    text = f"{counted}, {run['bytes']} bytes in snapshot {run['snapshot'][:8]}"
    if what == "partial":
        text = f"partial: {unreadable(run)}"
    until = [f"the database's log until {run['log_until']}"] if run.get("log_until") else []
    return "; ".join([text, *until, *run["warnings"]])


def report(found: Mapping[str, Any] | None, schedules: Mapping[str, str], moment: datetime) -> dict[str, Any]:
    """All jobs with state and text, and what they are together: what `backup status` prints.

    `schedules` maps the declared jobs to their schedules. `run` is the one that ended last.
    """
    jobs: dict[str, dict[str, Any]] = {}
    for name, schedule in schedules.items():
        own = entry_of(found, name)
        what = state(own, schedule, moment)
        told = {"schedule": schedule, "state": what, "text": describe(own, what)}
        jobs[name] = {**told, **(own or {"running_since": None, "run": None})}
    busy = {name: job["running_since"] for name, job in jobs.items() if job["running_since"]}
    for name, job in jobs.items():
        # One that waits for another is late for a reason that its own entry does not show.
        others = [f"{other} has been running since {since}" for other, since in busy.items() if other != name]
        if job["state"] == "late" and others:
            job["text"] += f" ({', '.join(others)})"
    runs = [job["run"] for job in jobs.values() if job["run"]]
    return {
        "schema": SCHEMA,
        "state": overall(job["state"] for job in jobs.values()),
        "text": together({name: str(job["text"]) for name, job in jobs.items()}),
        "running_since": next(iter(busy.values()), None),
        "run": max(runs, key=lambda run: str(run["finished"]), default=None),
        "jobs": jobs,
    }


def together(texts: Mapping[str, str]) -> str:
    """One line for all jobs; of a single one, without its name."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return " | ".join(f"{name}: {text}" for name, text in texts.items())


def unreadable(run: Mapping[str, Any]) -> str:
    """Which objects and databases a partial snapshot has no new copy of."""
    faults = [f"database {d['name']} ({d['reason']})" for d in run.get("unreadable_databases", ())]
    if not run["unreadable"]:
        return "could not be read: " + ", ".join(faults)
    named = [f"{o['bucket']}/{shown(o['key'])} ({o['reason']})" for o in run["unreadable_objects"][:3]]
    more = run["unreadable"] - len(named)
    objects = "1 object" if run["unreadable"] == 1 else f"{run['unreadable']} objects"
    text = f"{objects} could not be read: " + ", ".join(named) + (f" and {more} more" if more else "")
    return "; ".join([text, *faults])


def usage_warnings(usage: Mapping[str, int], limits: Mapping[str, int]) -> list[str]:
    """What is nearly full: `limits` maps `vault` and `staging` to bytes, `usage` what is in use of them."""
    found = []
    for name, limit in limits.items():
        percent = 100 * usage.get(name, 0) // limit
        if percent >= WARN_PERCENT:
            found.append(f"{name} is {percent} % full; raise backup.{name}_capacity or store less")
    return found
