"""What came back in a drill, against what was recorded when it was saved. Pure.

Both drills judge by it: the service's in its container, and `make drill`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Tables = Mapping[str, Any]  # database → table → rows and digest
NAMED = 20


def outcome(
    objects: Mapping[str, Any],
    dumps: Mapping[str, Any],
    log: Mapping[str, Any],
    started: str,
    spoilt: Sequence[str] = (),
) -> dict[str, Any]:
    """What is recorded of a drill. `dumps` and `log` are what the database's programs print."""
    faults = [str(part["fault"]) for part in (objects, dumps) if "fault" in part]
    different: list[str] = list(spoilt)
    found: dict[str, Any] = {"log": None, "rpo_s": None}
    if "fault" not in objects:
        faults += objects["faults"] if objects["different"] else []
        if "fault" not in dumps:
            different += differences(objects["databases"], dumps["databases"])
        from_log = list(log_faults(objects["archive"], log))
        if "moment" in log:
            different += from_log
        else:
            faults += from_log
        found["log"] = log_summary(objects["archive"], log, started)
        age = datetime.fromisoformat(started) - moment_of(str(objects["taken"]))
        found["rpo_s"] = round(age.total_seconds(), 1)
    return {
        **found,
        "objects": dict(objects),
        "databases": dict(dumps if "fault" in dumps else dumps["databases"]),
        "models": len(dumps.get("champions", ())),
        "different": int(objects.get("different", 0)) + len(different),
        "faults": [*faults, *different][:NAMED],
        "passed": not faults and not different,
    }


def differences(recorded: Tables, restored: Tables, how: str = "") -> Iterator[str]:
    """Each table that is missing, is not expected, or has other rows; `how` it came back."""
    for name in sorted({*recorded, *restored}):
        before, after = recorded.get(name), restored.get(name)
        if before is None or after is None:
            yield f"database {name}{how}: {'not expected' if before is None else 'missing'}"
            continue
        for table in sorted({*before, *after}):
            if before.get(table) != after.get(table):
                words = f"{_words(after.get(table))}, saved {_words(before.get(table))}"
                yield f"database {name}{how}, table {table}: {words}"


def log_faults(archive: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the database from its log: the snapshot's archive, and what its replay printed."""
    if not archive["files"]:
        if archive.get("expected", True):
            yield "the snapshot holds no archive of the database"
    elif "fault" in result:
        yield f"database from its log: {result['fault']}"
    else:
        yield from at_moment(archive["moment"] or {}, result["moment"] or {})


def at_moment(moment: Mapping[str, Any], restored: Tables) -> Iterator[str]:
    """What the log brought back, against what was recorded at that moment."""
    changed = moment.get("changed", {})
    recorded, found = kept(moment.get("facts", {}), changed), kept(restored, changed)
    yield from differences(recorded, {name: found.get(name) for name in recorded}, " from its log")


def kept(databases: Tables, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that can be compared: not those that changed at the moment, nor those that keep no log."""
    return {
        name: {
            table: facts
            for table, facts in tables.items()
            if table not in changed.get(name, ()) and not facts.get("unlogged")
        }
        for name, tables in databases.items()
    }


def log_summary(archive: Mapping[str, Any], result: Mapping[str, Any], started: str) -> dict[str, Any] | None:
    """For the record: until when the log was replayed, and how old that was; None where it was not."""
    if "until" not in result:
        return None
    moment = archive["moment"] or {}
    until = datetime.fromisoformat(result["until"])
    return {
        "backup": result["backup"],
        "until": until.isoformat(timespec="seconds"),
        "rpo_s": round((datetime.fromisoformat(started) - until).total_seconds(), 1),
        "tables": sum(map(len, kept(moment.get("facts", {}), moment.get("changed", {})).values())),
        "changed": [
            f"{name}.{table}" for name, tables in moment.get("changed", {}).items() for table in tables
        ],
        "seconds": result["seconds"],
    }


def moment_of(text: str) -> datetime:
    """restic's own time, in UTC, without its nanoseconds."""
    return datetime.fromisoformat(text[:19] + "+00:00")


def _words(facts: Mapping[str, Any] | None) -> str:
    return "none" if facts is None else f"{facts['rows']} rows (digest {facts['digest']})"
