"""The drill on its schedule, in a service without a network that can only read the vault's disk.

Objects are compared by hash; the database comes back from its dumps, and again from its base backup and log.
What came back goes to a folder of its own and is removed again; the outcome stays in RECORD.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ..core import status
from ..core.cron import due
from ..core.objects import ManifestError
from ..core.settings import FILES, STAGING
from ..sources.databases import FOLDER
from ..sources.staging import RESERVE, RoomError, Staging
from ..sources.vault import VaultError, last_words
from . import drill, models, returned

SCHEMA = "aidc.drill-run/1"
PLACE = Path("/drill")
RECORD = PLACE / "state" / "drill.json"
WORK = PLACE / "work"
WITHIN = 6 * 3600  # seconds for the databases, each way
GRACE = timedelta(minutes=15)
State = Literal["passed", "failed", "stale", "waiting"]


def begin() -> None:
    """Note when the service came into being: until the first drill is due, none is missed.

    What a drill left that was killed with the container is removed.
    """
    _clear()
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
    outcome = _trial(started)
    outcome |= {"started": started, "finished": status.now(), "seconds": round(time.monotonic() - clock, 1)}
    found = {**found, "run": outcome}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    status.write(RECORD, found)
    return found


def _trial(started: str) -> dict[str, Any]:
    _clear()
    WORK.mkdir(parents=True)
    try:
        objects = drill.drill(None, WORK, _check_room)
        dumps = _database("database-drill", str(drill.restored(Staging(STAGING).snapshot, WORK) / FOLDER),
                          str(WORK / "server"))  # fmt: skip
        # Its room is needed for the next.
        shutil.rmtree(WORK / "server", ignore_errors=True)
        archive = objects["archive"]
        moment = [f"--lsn={archive['moment']['lsn']}"] if archive["moment"] else []
        log = (
            _database("database-archive-drill", str(WORK / "repository"), *moment) if archive["files"] else {}
        )
        return returned.outcome(
            objects, dumps, log, started, tuple(models.faults(dumps.get("champions", ()), WORK))
        )
    except (VaultError, ManifestError, RoomError, OSError) as error:
        return returned.outcome({"fault": str(error)}, {"fault": "no snapshot to restore from"}, {}, started)
    finally:
        _clear()


def _clear() -> None:
    """Remove what a drill restored, and end what of a killed one is still at work there."""
    for kind in (signal.SIGQUIT, signal.SIGKILL):  # the first lets a server take its shared memory along
        if not _end(kind):
            break
    shutil.rmtree(WORK, ignore_errors=True)


def _end(kind: signal.Signals) -> bool:
    """Send a signal to what is left of a drill; whether some of it lives on after five seconds."""
    for _ in range(50):
        left = list(_left())
        if not left:
            return False
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, kind)
        time.sleep(0.1)
    return True


def _left() -> Iterator[int]:
    """Processes of ours that name the drill's folder, as an argument or in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if bytes(WORK) in told and int(process.name) != os.getpid():
                yield int(process.name)


def _check_room(needed: int) -> None:
    """Raises RoomError before the engine's disk, which everybody needs, is full."""
    free = Staging(PLACE).free()
    if needed + RESERVE > free:
        raise RoomError(
            f"the engine's disk has {free} bytes left; the snapshot needs {needed}, and {RESERVE} have to "
            "stay free: make room there"
        )


def _database(*command: str) -> dict[str, Any]:
    """What one of the database's programs prints, or its last words as `fault`."""
    try:
        done = subprocess.run(
            # It ends with the drill, also with one that is killed.
            ["setpriv", "--pdeathsig", "KILL", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DATA_DIR": str(WORK)},
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
        counts = f"{run['objects']['objects']} objects and {rows(run)} rows"
        text = f"{counts} of snapshot {snapshot} came back as saved"
        if log := run.get("log"):
            text += f", and from the log the rows of {log['tables']} tables, until {log['until']}"
        return text
    return f"failed: {fault(run)}"


def rows(run: Mapping[str, Any]) -> int:
    """How many rows came back from the dumps."""
    databases = run["databases"]
    if "fault" in databases:
        return 0
    return sum(int(table["rows"]) for tables in databases.values() for table in tables.values())


def fault(run: Mapping[str, Any] | None) -> str:
    """The first of what went wrong."""
    return str(next(iter((run or {}).get("faults", ())), "no reason was recorded; see `make drill`"))


def now() -> datetime:
    return datetime.now(UTC)
