"""From the stack's status (aidc.status/1, by `aidc status --json`) to what a result says of its backup.

What runs the stack hands it over as a file: the benchmark asks no service for it. Pure but for that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmark.analysis.documents.restorable import LastBackup, LastDrill, Restorable
from benchmark.core import regular
from benchmark.core.errors import DocumentError

SCHEMA = "aidc.status/1"


def read(path: Path, now: str) -> dict[str, Any]:
    """What the file says; `problem` where it says nothing: a run does not end because of that."""
    try:
        return of_status(json.loads(regular.read_text(path)), now)
    except OSError as error:
        problem = f"{path}: cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        problem = f"{path}: is no status of a stack: is it up?"
    except DocumentError as error:
        problem = f"{path}: {error}"
    return Restorable(asked=now, problem=problem).content()


def of_status(status: Any, now: str) -> dict[str, Any]:
    """`now` in RFC 3339. Raises DocumentError for another document."""
    if not isinstance(status, Mapping) or status.get("schema") != SCHEMA:
        raise DocumentError([f"schema: expected {SCHEMA!r}"])
    found: dict[str, Any] = {"asked": now}
    for name, key, part in (("backup", "last_backup", LastBackup), ("drill", "last_drill", LastDrill)):
        told = status.get(key)
        try:
            found[name] = told and part.read({**told, "age_s": _age(told.get("at"), now)})
        except (ValueError, TypeError, AttributeError) as error:
            raise DocumentError([f"{key}: {error}"]) from None
    return Restorable.written(found)


def _age(at: str | None, now: str) -> float | None:
    """Seconds."""
    if at is None:
        return None
    return round((datetime.fromisoformat(now) - datetime.fromisoformat(at)).total_seconds(), 1)
