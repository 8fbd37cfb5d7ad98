"""What was done last, by the name of its line. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from operations.status_document import Backup, BackupJob, LastAudit, LastBenchmark, LastDrill, Status

Last = Backup | BackupJob | LastDrill | LastAudit | LastBenchmark

# After so long a pass says little about what runs now.
OLD = {"last audit": timedelta(days=7)}


def is_old(name: str, one: Last, now: datetime) -> bool:
    """Whether the line `name` tells of a pass that is too long ago to be shown as one."""
    most = OLD.get(name)
    if most is None or not one.at or one.result != "passed":
        return False
    return now - datetime.fromisoformat(one.at) > most


def last_of(found: Status) -> dict[str, Last | None]:
    """What was done last, by the name of its line; None where it was never done."""
    return {
        **backup_lines(found.last_backup),
        "last drill": found.last_drill,
        "last audit": found.last_audit,
        "last bench": found.last_benchmark,
    }


def backup_lines(backup: Backup | None) -> dict[str, Backup | BackupJob | None]:
    """A line for the backup; where there are several jobs, one for each."""
    if backup is None or len(backup.jobs) < 2:
        return {"last backup": backup}
    return {f"backup {name}": job for name, job in backup.jobs.items()}
