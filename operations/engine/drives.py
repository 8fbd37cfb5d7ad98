"""For how many nodes the object store's volumes were made, as MinIO recorded on the first of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from docker.errors import DockerException

from operations.engine.client import Engine, EngineResource

FORMAT = ".minio.sys/format.json"


def made_for(engine: Engine, stack: str, volumes: Sequence[EngineResource]) -> int | None:
    """The number of nodes, or None where there is no data. Reads only.

    Without a container and without access to the engine's folder the volumes are counted: this includes a
    node that was added and never came up.
    """
    pattern = re.compile(rf"aidc-{re.escape(stack)}-object-store-([0-9]+)-data")
    kept = [v.name for v in volumes if v.is_data and v.stack == stack and pattern.fullmatch(v.name)]
    if not kept:
        return None
    first = f"aidc-{stack}-object-store-1"
    for text in (_in_container(engine, first), _on_disk(engine, f"{first}-data")):
        size = set_size(text) if text else None
        if size:
            return size
    return len(kept)


def set_size(text: str) -> int | None:
    """Drives of all erasure sets in a `format.json`; None for anything else."""
    try:
        return sum(len(drives) for drives in json.loads(text)["xl"]["sets"]) or None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _in_container(engine: Engine, container: str) -> str | None:
    try:
        return next(iter(engine.files(container, f"/data/{FORMAT}").values()), None)
    except DockerException:
        return None


def _on_disk(engine: Engine, volume: str) -> str | None:
    if not engine.is_local:
        return None
    try:
        folder = engine.client.api.inspect_volume(volume).get("Mountpoint") or "/nonexistent"
        return (Path(folder) / FORMAT).read_text(encoding="utf-8")
    except (DockerException, OSError, UnicodeDecodeError):
        return None
