"""The database's archive as a snapshot gives it back: files under their own names, and the marked moment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.objects import Saved, shown

BUCKET = "database"
ROOT = "repository/"
MOMENT = "archive.json"


def moment_in(folder: Path) -> dict[str, Any] | None:
    """The moment of a snapshot that was restored to `folder`; None where it has none."""
    try:
        found: dict[str, Any] = json.loads((folder / MOMENT).read_text())
    except FileNotFoundError:
        return None
    return found


def lay_out(saved: Iterable[Saved], folder: Path, target: Path) -> tuple[int, list[str]]:
    """Give the copies of the archive in `folder` their keys as names, below `target`, for everybody to read.

    Returns how many there are, and what is missing. The database chose the keys, so none is trusted.
    """
    count, faults = 0, []
    for one in saved:
        if one.listed.bucket != BUCKET or not one.listed.key.startswith(ROOT):
            continue
        key = one.listed.key
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", key) or {"", ".", ".."} & set(key.split("/")):
            faults.append(f"{BUCKET}/{shown(key)}: not a name that the archive would use")
            continue
        place = target / key
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        if one.unreadable or one.file is None or not (folder / one.file).is_file():
            faults.append(f"{BUCKET}/{key}: missing in the snapshot")
            continue
        os.link(folder / one.file, place)
        place.chmod(0o644)
        count += 1
    return count, faults
