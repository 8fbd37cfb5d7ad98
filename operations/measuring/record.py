"""What every record of a measurement says of the machine, and where it is written."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from components.planning.paths import ROOT
from operations.documents import Load, Machine, content


def machine() -> Machine:
    return Machine(cpus=os.cpu_count(), machine=platform.machine(), kernel=platform.release())


def load_of(record: Mapping[str, Any]) -> Load:
    """From `benchmark.cluster.hostload`."""
    return Load.model_validate({name: record.get(name) for name in Load.model_fields})


def write(document: BaseModel, stack: str, out: Path | None, name: str) -> Path:
    """Write a record into the stack's folder, or into `out`."""
    path = (out or ROOT / "out" / stack) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(document), indent=1) + "\n", encoding="utf-8")
    return path
