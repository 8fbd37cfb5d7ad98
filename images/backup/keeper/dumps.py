"""The dumps of a run: all declared databases, and the moment in the log that goes with them. When they are due.

They cost a look at every row, so a run every few minutes keeps those that are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import archive, databases
from .databases import DatabaseError, Dumped
from .settings import Settings
from .staging import RoomError, Staging
from .status import Run

Say = Callable[[str], None]


def _record(staging: Staging) -> Path:
    return staging.root / "dumps.json"


def due(settings: Settings, staging: Staging) -> bool:
    """Whether the newest dumps are too old, or are not those of the declared databases."""
    try:
        found = json.loads(_record(staging).read_text())
        age = datetime.now(UTC) - datetime.fromisoformat(found["at"])
        known = set(found["databases"])
    except (OSError, ValueError, KeyError, TypeError):
        return True
    there = all(databases.path_of(name, staging).is_file() for name in known)
    fresh = timedelta(0) <= age < timedelta(hours=settings.dump_hours)
    return not (there and fresh and known == set(settings.databases))


def keep(staging: Staging, done: Run) -> None:
    """Remember what a run has dumped and read back; where one is missing, the next run tries again."""
    if done.unreadable_databases:
        _record(staging).unlink(missing_ok=True)
        return
    _record(staging).write_text(json.dumps({"at": done.started, "databases": done.databases}))


def kept(staging: Staging, done: Run) -> list[Dumped]:
    """The dumps of an earlier run, as they lie in staging."""
    found: dict[str, Any] = json.loads(_record(staging).read_text())
    done.databases = {name: {**facts, "taken": found["at"]} for name, facts in found["databases"].items()}
    return [
        Dumped(
            name, databases.path_of(name, staging).relative_to(staging.snapshot).as_posix(),
            facts["bytes"], facts["sha256"], facts["tables"],
        )
        for name, facts in done.databases.items()
    ]  # fmt: skip


def make(settings: Settings, staging: Staging, done: Run, say: Say) -> list[Dumped]:
    """Dump every declared database; one that cannot be dumped is named, and the run goes on."""
    databases.drop_others(settings.databases, staging)
    archive.path_of(staging).unlink(missing_ok=True)
    made: list[Dumped] = []
    if not settings.databases:
        return made
    try:
        with archive.moment(settings.databases) as moment:
            for name in settings.databases:
                if one := _one(name, settings, staging, done, moment, say):
                    made.append(one)
            seen = [one.name for one in made if one.name in moment.views]
            facts = {name: databases.facts_of(name, staging) for name in seen}
            archive.record(moment, facts, staging)
    except DatabaseError as error:
        done.unreadable_databases.append({"name": archive.NAME, "reason": str(error)})
        say(f"no moment of the {archive.NAME} could be marked: {error}")
        made += [one for name in settings.databases
                 if name not in done.databases and (one := _one(name, settings, staging, done, None, say))]  # fmt: skip
    return made


def _one(
    name: str, settings: Settings, staging: Staging, done: Run, moment: archive.Moment | None, say: Say
) -> Dumped | None:
    try:
        staging.check_room(databases.size(name), settings.limits["staging"])
        dumped = databases.dump(name, staging, moment.views.get(name) if moment else None)
    except (DatabaseError, RoomError) as error:
        databases.drop(name, staging)
        done.unreadable_databases.append({"name": name, "reason": str(error)})
        say(f"database {name} could not be read: {error}")
        return None
    done.databases[name] = {"bytes": dumped.size, "sha256": dumped.sha256, "tables": dumped.tables}
    return dumped
