"""Restore the newest backup for trial, from the vault itself, and compare it with what was backed up.

Throw-away containers without a network: the first restores the snapshot from the vault's disk, which it can
only read, and compares every object with the manifest; the second restores each database, checks its pages
and indexes, and counts its rows; the third asks the registry's models for a prediction; the fourth replays
the log. Nothing of the running stack is touched: the models that it serves are asked the same, as a client
would. Writes `<out>/drill.json` (aidc.drill/1).

Exit codes: 0 passed; 1 failed: something is missing or differs; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.verdicts import plural
from operations.documents import Drill, DrillModel, write
from operations.drill import archived as archive
from operations.drill import predictions
from operations.drill.judge import judge
from operations.drill.live import Live
from operations.drill.restore import Restore
from operations.engine.client import connect
from operations.errors import FAILED, OK
from operations.process import say
from operations.restoring.when import moment


def main(stack: str, at: str | None = None, out: Path | None = None) -> int:
    """Run the drill. Raises RefusedError when there is nothing to restore from."""
    if at is not None:
        at = moment(at)
    started, clock = datetime.now(UTC), time.monotonic()
    with Restore(connect(), stack) as restore:
        say("restoring the snapshot from the vault …")
        objects = restore.objects(at)
        compared = plural(int(objects.get("objects", 0)), "object")
        say(f"  {compared} compared in {time.monotonic() - clock:.0f} s")
        say("restoring the databases …")
        databases = (
            restore.databases() if "fault" not in objects else {"fault": "no snapshot to restore from"}
        )
        models = asked(restore, stack, databases)
        log: dict[str, Any] = {}
        if (part := objects.get("archive")) and part["files"]:
            say("restoring the database from its log …")
            log = restore.archive(part["moment"], at)
    archived = archive.judge(objects, log, started, at)
    drill = judge(
        objects, databases, archived, models, started=started, seconds=time.monotonic() - clock, at=at
    )
    path = write(drill, stack, out, "drill.json")
    for line in lines(drill):
        say(line)
    say(f"drill {'passed' if drill.passed else 'FAILED'}: {path}")
    return OK if drill.passed else FAILED


def asked(restore: Restore, stack: str, databases: Mapping[str, Any]) -> list[DrillModel]:
    """What the restored models answer, compared with the live ones. Without a registry nothing is asked."""
    if "fault" in databases:
        return []
    with Live(stack) as live:
        models = predictions.wanted(databases["champions"], live.served())
        if not models:
            return []
        say(f"asking {plural(len(models), 'restored model')} …")
        answered = restore.answers([str(model) for model in models])
        return predictions.judge(models, answered, live.answers(answered.get("models", [])))


def lines(drill: Drill) -> list[str]:
    """The outcome for a terminal."""
    found = [
        f"  {level.name}: {'pass' if level.passed else 'FAIL'}, {level.detail}" for level in drill.levels
    ]
    if drill.rpo_s is not None:
        found.append(f"  data of {drill.rpo_s:.0f} s before the drill, usable after {drill.rto_s:.0f} s")
    if drill.log:
        parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in drill.log.seconds.items())
        found.append(f"  rows until {drill.log.until}, {drill.log.rpo_s:.0f} s before the drill ({parts})")
        if drill.log.changed:
            found.append(
                f"  changing at the moment that was recorded, not compared: {', '.join(drill.log.changed)}"
            )
    for model in drill.models:
        version = "served" if model.version is None else f"version {model.version}"
        found.append(f"  model {model.model}, {version}: {model.outcome}, {model.detail}")
    return [*found, *(f"    {fault}" for fault in drill.faults)]
