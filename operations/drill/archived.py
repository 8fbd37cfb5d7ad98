"""Whether the database came back from its base backup and its log as it was at the recorded moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operations.documents import DrillLog
from operations.drill.compare import compare


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
    changed = moment.get("changed", {})
    differences = tuple(compared(moment, result["moment"] or {}))
    until = datetime.fromisoformat(result["until"])
    tables = sum(map(len, kept(moment.get("facts", {}), changed).values()))
    named = [f"{name}.{table}" for name, tables_ in changed.items() for table in tables_]
    log = DrillLog(
        backup=result["backup"],
        until=until.isoformat(timespec="seconds"),
        rpo_s=round((started - until).total_seconds(), 1),
        moment=moment.get("time"),
        tables=tables,
        changed=named,
        seconds=result["seconds"],
    )
    remark = f"its log until {until:%H:%M:%S}" + (f", {len(named)} tables changing" if named else "")
    return Archived(differences=differences, log=log, remark=remark)


def compared(moment: Mapping[str, Any], restored: Mapping[str, Any]) -> Iterator[str]:
    """The differences at the moment."""
    changed = moment.get("changed", {})
    recorded, found = kept(moment.get("facts", {}), changed), kept(restored, changed)
    yield from compare(recorded, {name: found.get(name) for name in recorded}, " from its log")


def kept(databases: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that can be compared: not those that changed at the moment, nor those that keep no log."""
    return {
        name: {
            table: facts
            for table, facts in tables.items()
            if table not in changed.get(name, ()) and not facts.get("unlogged")
        }
        for name, tables in databases.items()
    }
