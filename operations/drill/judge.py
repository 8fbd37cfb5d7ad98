"""Whether what came back is what was backed up. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from audit.verdicts import plural
from images.backup.keeper.proving.returned import differences as compare
from images.backup.keeper.proving.returned import moment_of
from operations.documents import Drill, DrillLevel, DrillModel
from operations.drill import predictions
from operations.drill.archived import Archived

SHOWN = 20


def judge(
    objects: Mapping[str, Any],
    databases: Mapping[str, Any],
    archive: Archived,
    models: Sequence[DrillModel],
    *,
    started: datetime,
    seconds: float,
    at: str | None = None,
) -> Drill:
    """`objects` is what `backup drill` prints, `databases` what `database-drill` does; `fault`: it failed."""
    recorded = objects.get("databases", {})
    differences = list(compare(recorded, databases["databases"])) if "fault" not in databases else []
    differences += archive.differences
    differences += predictions.faults(models)
    faults = [str(part["fault"]) for part in (objects, databases) if "fault" in part]
    faults += [f"database from its log: {archive.fault}"] if archive.fault else []
    different = int(objects.get("different", 0)) + len(differences)
    rows = sum(int(table["rows"]) for database in recorded.values() for table in database.values())
    tables = sum(map(len, recorded.values()))
    readable = "fault" not in objects
    broken = "fault" in databases or archive.fault is not None
    consistent = readable and not broken and not objects["different"]
    usable = consistent and not differences
    taken = objects.get("taken")
    levels = [
        DrillLevel(
            name="L1 readable",
            passed=readable,
            detail=f"snapshot {str(objects['snapshot'])[:8]}" if readable else "nothing was restored",
        ),
        DrillLevel(
            name="L2 restored and consistent",
            passed=consistent,
            detail=f"{plural(int(objects.get('objects', 0)), 'object')} by hash, "
            f"{plural(len(recorded), 'database')} by pages and indexes"
            + (f", {archive.remark}" if archive.remark else ""),
        ),
        DrillLevel(
            name="L3 usable",
            passed=usable,
            detail=f"{plural(rows, 'row')} in {plural(tables, 'table')}, as counted at backup time"
            + (f"; {plural(archive.log.tables, 'table')} at a moment of the log" if archive.log else "")
            + f"; {predictions.summary(models)}",
        ),
    ]
    return Drill(
        schema="aidc.drill/1",
        passed=usable,
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        at=at,
        snapshot=objects.get("snapshot"),
        taken=taken,
        rpo_s=round((started - moment_of(taken)).total_seconds(), 1) if taken else None,
        rto_s=round(seconds, 1),
        log=archive.log,
        models=list(models),
        levels=levels,
        sources=["buckets", *(f"database {name}" for name in sorted(recorded))],
        compared=int(objects.get("objects", 0)) + rows,
        objects=int(objects.get("objects", 0)),
        different=different,
        unreadable_then=int(objects.get("unreadable_then", 0)),
        faults=[*faults, *objects.get("faults", ()), *differences][:SHOWN],
    )
