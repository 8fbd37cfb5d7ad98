"""The dumps of a run: all databases of its job, and the moment in the log that goes with them.

They cost a look at every row, so a run every few minutes keeps those that are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..core.settings import Settings
from ..core.status import Run
from . import archive, databases
from .databases import DatabaseError, Dumped, View
from .staging import RoomError, Staging

Say = Callable[[str], None]


def _record(staging: Staging) -> Path:
    return staging.own / "dumps.json"


def rows(settings: Settings, staging: Staging, name: str) -> int:
    """Rows that the dump of a database holds besides those that its service fills in by itself."""
    initial = settings.initial.get(name, {})
    counted = {table: int(found["rows"]) for table, found in databases.facts_of(name, staging).items()}
    return sum(max(0, number - initial.get(table, 0)) for table, number in counted.items())


def due(settings: Settings, staging: Staging) -> bool:
    """Whether the newest dumps, or what was read back with them, are too old or not those of the job.

    Those of a server in whose place there is another, as after a restore, do not go with its log.
    """
    try:
        found = json.loads(_record(staging).read_text())
        age = datetime.now(UTC) - datetime.fromisoformat(found["at"])
        known = set(found["databases"])
        same = not known or found["server"] == databases.server()
    except (OSError, ValueError, KeyError, TypeError, DatabaseError):
        return True
    there = all(databases.path_of(name, staging).is_file() for name in known)
    fresh = timedelta(0) <= age < timedelta(hours=settings.dump_hours)
    return not (there and fresh and same and known == set(settings.job(staging.job).databases))


def keep(staging: Staging, done: Run) -> None:
    """Remember what a run has dumped and read back; where one is missing, the next run tries again."""
    _record(staging).unlink(missing_ok=True)
    if done.unreadable_databases:
        return
    found = {"at": done.started, "databases": done.databases}
    if done.databases:
        try:
            found["server"] = databases.server()
        except DatabaseError:
            return
    _record(staging).write_text(json.dumps(found))


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
    """Dump every database of the job; one that cannot be dumped is named, and the run goes on."""
    job = settings.job(staging.job)
    names = job.databases
    databases.drop_others(names, staging)
    archive.path_of(staging).unlink(missing_ok=True)
    maker = _Maker(settings, staging, done, say)
    if not job.log:
        return [one for name in names if (one := maker.dump(name, None))]
    try:
        with archive.moment(names) as moment:
            made = [one for name in names if (one := maker.dump(name, moment.views.get(name)))]
            known = [one.name for one in made if one.name in moment.views]
            facts = {name: databases.facts_of(name, staging) for name in known}
            archive.record(moment, facts, staging)
    except DatabaseError as error:
        done.unreadable_databases.append({"name": archive.NAME, "reason": str(error)})
        say(f"no moment of the {archive.NAME} could be marked: {error}")
        reported = {entry["name"] for entry in done.unreadable_databases}
        made = [one for name in names if name not in reported and (one := maker.dump(name, None))]
    return made


@dataclass(frozen=True)
class _Maker:
    settings: Settings
    staging: Staging
    done: Run
    say: Say

    def dump(self, name: str, view: View | None) -> Dumped | None:
        """None where it cannot be dumped: the run knows why."""
        try:
            self.staging.check_room(databases.size(name), self.settings.limits["staging"])
            dumped = databases.dump(name, self.staging, view)
        except (DatabaseError, RoomError) as error:
            databases.drop(name, self.staging)
            self.done.unreadable_databases.append({"name": name, "reason": str(error)})
            self.say(f"database {name} could not be read: {error}")
            return None
        known = {"bytes": dumped.size, "sha256": dumped.sha256, "tables": dumped.tables}
        self.done.databases[name] = known
        return dumped
