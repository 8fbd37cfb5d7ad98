"""Whether the database came back from its base backup and its log as it was at the recorded moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from images.backup.keeper.proving import returned
from operations.documents import DrillLog


@dataclass(frozen=True)
class Archived:
    """`fault`: nothing came back; `differences`: it is not what was recorded."""

    fault: str | None = None
    differences: tuple[str, ...] = ()
    log: DrillLog | None = None
    remark: str = ""


def judge(
    objects: Mapping[str, Any], result: Mapping[str, Any], started: datetime, at: str | None
) -> Archived:
    """`objects` is what `backup drill` prints, `result` what `database-archive-drill` does."""
    part = objects.get("archive")
    if "fault" in objects or part is None:
        return Archived()
    if not part["files"]:
        # A snapshot of before there was an archive can still be looked at.
        fault = "the snapshot holds no archive of the database; fix: `make backup`"
        wanted = at is None and part.get("expected", True)
        return Archived(fault=fault) if wanted else Archived(remark="no log")
    if "fault" in result:
        return Archived(fault=str(result["fault"]))
    moment = part["moment"] or {}
    told = returned.log_summary(part, result, started.isoformat())
    if told is None:
        return Archived(fault="the replay of the log did not say until when it came")
    log = DrillLog(**told, moment=moment.get("time"))
    until, named = datetime.fromisoformat(log.until), log.changed
    differences = tuple(returned.at_moment(moment, result["moment"] or {}))
    remark = f"its log until {until:%H:%M:%S}" + (f", {len(named)} tables changing" if named else "")
    return Archived(differences=differences, log=log, remark=remark)
