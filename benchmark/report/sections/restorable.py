"""The report's section on storage and recovery: the newest backup, and what its restore for trial showed."""

from __future__ import annotations

from typing import Any

from benchmark.report.text import count

UNITS = ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600))


def section(result: dict[str, Any]) -> dict[str, Any] | None:
    """None where the stack was not asked."""
    found = result.get("restorable")
    if found is None:
        return None
    return {
        "problem": found.get("problem"),
        "rows": [*_backup(found.get("backup")), *_drill(found.get("drill"))],
    }


def _backup(backup: dict[str, Any] | None) -> list[tuple[str, str]]:
    if backup is None:
        return [("Last backup", "none")]
    return [
        ("Last backup", f"{backup['result']}, {duration(backup['age_s'])} before the run: {backup['text']}")
    ]


def _drill(drill: dict[str, Any] | None) -> list[tuple[str, str]]:
    if drill is None:
        return [("Restore drill", "none")]
    age = drill.get("age_s")
    when = "" if age is None else f", {duration(age)} before the run"
    by = f" (by {drill['by']})" if drill.get("by") and age is not None else ""
    rows = [("Restore drill", f"{drill['result']}{when}{by}: {drill['text']}")]
    if drill.get("rpo_s") is not None:
        rows.append(("Age of the restored rows, RPO", duration(drill["rpo_s"])))
    if drill.get("rto_s") is not None:
        rows.append(("Until all of it was compared, RTO", duration(drill["rto_s"])))
    compared = [
        f"{count(drill[name])} {name if drill[name] != 1 else name[:-1]}"
        for name in ("objects", "rows", "models")
        if drill.get(name) is not None
    ]
    if compared:
        rows.append(("Compared", ", ".join(compared)))
    if drill.get("different") is not None:
        rows.append(("Differences", count(drill["different"])))
    return rows


def duration(seconds: float) -> str:
    """`43 s`, `12 min`, `5 h`, `3 d`."""
    for limit, unit, size in UNITS:
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
