"""The state of the backups as a document, and what to say of it. Pure, but for the file itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from .cron import due
from .objects import shown

SCHEMA = "aidc.backup/1"
NAMED = 20  # unreadable objects that the document names; it counts all
GRACE = timedelta(minutes=15)  # a run is late so long after it was due
WARN_PERCENT = 80

Result = Literal["ok", "partial", "failed"]
State = Literal["ok", "partial", "failed", "running", "late", "none"]
EXIT_CODES: Mapping[str, int] = {"ok": 0, "failed": 1, "partial": 3}


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


def document(run: Run, running_since: str | None) -> dict[str, Any]:
    return {"schema": SCHEMA, "running_since": running_since, "run": asdict(run) if run.finished else None}


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


def state(found: Mapping[str, Any] | None, schedule: str, moment: datetime) -> State:
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


def describe(found: Mapping[str, Any] | None, what: State) -> str:
    """One line for a user."""
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
