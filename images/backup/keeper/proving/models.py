"""The models of a snapshot under their own names, and whether those that are to be served are whole.

Nothing here computes with a model: that is for whoever has the program for it (`make drill`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.objects import Saved
from ..sources.vault import digest_of

BUCKET = "models"
# Bucket and beginning of the keys of what the served models answered, which clients write.
ANSWERS = ("results", "answers/")
# Below the folder of a restore, for `BUCKET/KEY` as the cards have it.
PLACE = "buckets"
PLAIN = re.compile(r"[A-Za-z0-9._=@ -]+(/[A-Za-z0-9._=@ -]+)*")


def lay_out(saved: Iterable[Saved], folder: Path, target: Path) -> int:
    """Give the copies in `folder` their keys as names below `target`, for everybody to read; how many.

    Clients chose the keys: what could lead elsewhere is left out, and then missing where somebody needs it.
    """
    count = 0
    for one in saved:
        key = one.listed.key
        bucket = one.listed.bucket
        if bucket != BUCKET and not (bucket == ANSWERS[0] and key.startswith(ANSWERS[1])):
            continue
        if one.file is None or not (folder / one.file).is_file():
            continue
        if not PLAIN.fullmatch(key) or {".", ".."} & set(key.split("/")):
            continue
        place = target / PLACE / bucket / key
        # A name may be too long for a file, or be that of a folder: S3 allows `a` and `a/b` side by side.
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            os.link(folder / one.file, place)
            place.chmod(0o644)
            count += 1
    return count


def faults(champions: Iterable[Mapping[str, Any]], root: Path) -> Iterator[str]:
    """What is wrong with each model that is to be served: its card or weights are missing, or are others."""
    for champion in champions:
        name = f"model {champion['model']}, version {champion['version']}"
        if not champion["card"] or not champion["sha256"]:
            continue  # registered by somebody else: the registry does not say where its files are
        card = _card(root / PLACE, str(champion["card"]))
        if card is None:
            yield f"{name}: its card {champion['card']} did not come back"
        elif card.get("sha256") != champion["sha256"]:
            yield f"{name}: its card names other weights than the registry"
        else:
            weights = _within(root / PLACE, str(card.get("key")))
            if weights is None or not weights.is_file():
                yield f"{name}: its weights {card.get('key')} did not come back"
            elif digest_of(weights) != champion["sha256"]:
                yield f"{name}: its weights {card.get('key')} have another hash than the registry says"


def _card(root: Path, key: str) -> dict[str, Any] | None:
    path = _within(root, key)
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _within(root: Path, key: str) -> Path | None:
    """None for what leads elsewhere, or can be no file's name. Jobs write cards, and what they name."""
    try:
        path = (root / key).resolve()
        path.is_file()
    except (OSError, ValueError):
        return None
    return path if path.is_relative_to(root.resolve()) else None
