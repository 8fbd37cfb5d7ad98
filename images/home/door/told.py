"""What a workstation has told, kept in a file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from operations.front.told import MOST, Told, newer

from .pages import alone, not_ahead
from .settings import TOLD, TOLD_NAME


def read(folder: Path = TOLD) -> Told:
    """Nothing where there is no file, or none that this version can read."""
    try:
        return Told.model_validate_json((folder / TOLD_NAME).read_bytes())
    except (OSError, ValidationError):
        return Told()


def take(raw: bytes, folder: Path = TOLD) -> None:
    """Keep what is new in the document `raw`. Raises ValueError where it is none, and OSError."""
    if len(raw) > MOST:
        raise ValueError(f"the document is longer than {MOST} bytes")
    new = Told.model_validate_json(raw)
    times = [one.at for one in (new.last_audit, new.last_benchmark, *new.nodes) if one is not None]
    for time in (*times, new.jobs_at, *(job.submitted for job in new.jobs or ())):
        if time is not None:
            not_ahead(time)
    with alone(folder):
        path, fresh = folder / TOLD_NAME, folder / f".{TOLD_NAME}.new"
        fresh.write_text(newer(read(folder), new).model_dump_json(by_alias=True), encoding="utf-8")
        fresh.replace(path)
