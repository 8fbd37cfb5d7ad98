"""The drill on its schedule, in a service without a network that can only read the vault's disk.

What came back goes to a folder of its own and is removed again; the outcome stays in RECORD.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from . import drill, status
from .cron import due
from .databases import FOLDER
from .objects import ManifestError
from .settings import FILES, STAGING
from .staging import RESERVE, RoomError, Staging
from .vault import VaultError, last_words

SCHEMA = "aidc.drill-run/1"
PLACE = Path("/drill")
RECORD = PLACE / "state" / "drill.json"
WITHIN = 6 * 3600  # seconds for the databases
GRACE = timedelta(minutes=15)
State = Literal["passed", "failed", "stale", "waiting"]


def begin() -> None:
    """Note when the service came into being: until the first drill is due, none is missed."""
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    if read() is None:
        status.write(RECORD, {"schema": SCHEMA, "since": status.now(), "run": None})


def read() -> dict[str, Any] | None:
    """None when there is no record or a damaged one."""
    try:
        found = json.loads(RECORD.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def run() -> dict[str, Any]:
    """Restore the newest snapshot for trial and compare it. Never raises: see the run's `passed`."""
    found = read() or {"schema": SCHEMA, "since": status.now(), "run": None}
    started, clock = status.now(), time.monotonic()
    objects, databases = _trial()
    outcome = {
        "started": started,
        "finished": status.now(),
        "seconds": round(time.monotonic() - clock, 1),
        "objects": objects,
        "databases": databases,
        "passed": passed(objects, databases),
    }
    found = {**found, "run": outcome}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    status.write(RECORD, found)
    return found


def passed(objects: Mapping[str, Any], databases: Mapping[str, Any]) -> bool:
    """Everything came back as it was saved."""
    if "fault" in objects or "fault" in databases:
        return False
    return bool(objects["different"] == 0 and objects["databases"] == databases)


def _trial() -> tuple[dict[str, Any], dict[str, Any]]:
    work = PLACE / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        objects = drill.drill(None, work, _check_room)
        return objects, _databases(work)
    except (VaultError, ManifestError, RoomError, OSError) as error:
        return {"fault": str(error)}, {"fault": "no snapshot to restore from"}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_room(needed: int) -> None:
    """Raises RoomError before the engine's disk, which everybody needs, is full."""
    free = Staging(PLACE).free()
    if needed + RESERVE > free:
        raise RoomError(
            f"the engine's disk has {free} bytes left; the snapshot needs {needed}, and {RESERVE} have to "
            "stay free: make room there"
        )


def _databases(work: Path) -> dict[str, Any]:
    folder = drill.restored(Staging(STAGING).snapshot, work) / FOLDER
    command = ["database-drill", str(folder), str(work / "server")]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=WITHIN, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return {"fault": f"{command[0]} did not end within {WITHIN} s"}
    if done.returncode != 0:
        return {"fault": last_words(done.stderr)}
    return dict(json.loads(done.stdout))


def schedule() -> str:
    """Of the drill, as crontab writes it."""
    return str(json.loads((FILES / "drill.json").read_text())["schedule"])


def state(found: Mapping[str, Any] | None, schedule: str, moment: datetime) -> State:
    """The newest drill's outcome; `stale` when two were due since, `waiting` before the first is due."""
    newest = due(schedule, moment - GRACE)
    before = newest and due(schedule, newest - timedelta(minutes=1))
    run = (found or {}).get("run")
    if run is None:
        since = datetime.fromisoformat((found or {"since": moment.isoformat()})["since"])
        return "stale" if newest and newest > since else "waiting"
    if before and datetime.fromisoformat(run["started"]) < before - timedelta(minutes=1):
        return "stale"
    return "passed" if run["passed"] else "failed"


def describe(found: Mapping[str, Any] | None, what: State) -> str:
    """One line for a user."""
    run = (found or {}).get("run")
    if what == "waiting":
        return "no drill yet; the first one is not due"
    if what == "stale":
        return (
            f"stale: the newest drill is of {run['started']}"
            if run
            else "stale: the first drill did not come"
        )
    snapshot = str(run["objects"].get("snapshot", ""))[:8] if run else ""
    if what == "passed" and run:
        rows = sum(int(t["rows"]) for tables in run["databases"].values() for t in tables.values())
        return (
            f"{run['objects']['objects']} objects and {rows} rows of snapshot {snapshot} came back as saved"
        )
    return f"failed: {fault(run)}"


def fault(run: Mapping[str, Any] | None) -> str:
    """The first of what went wrong."""
    objects, databases = (run or {}).get("objects", {}), (run or {}).get("databases", {})
    for part in (objects, databases):
        if "fault" in part:
            return str(part["fault"])
    if objects.get("faults"):
        return str(objects["faults"][0])
    return "a table has other rows than were saved; see `make drill`"


def now() -> datetime:
    return datetime.now(UTC)
