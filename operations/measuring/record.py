"""What every record of a measurement says of the machine, and where it is written."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from pydantic import BaseModel

from benchmark.cluster.hostload import HostLoad
from components.planning.paths import ROOT
from operations.documents import Load, Machine, content
from operations.engine.client import Engine


def machine() -> Machine:
    return Machine(cpus=os.cpu_count(), machine=platform.machine(), kernel=platform.release())


def host_load(engine: Engine, stack: str) -> HostLoad:
    """To be entered when all throw-away containers run: what they use is not that of other programs."""
    return HostLoad([container.name for container in engine.containers(stack) if container.running])


def load_of(host: HostLoad) -> Load:
    """After the end of its block."""
    return Load.model_validate({name: host.record.get(name) for name in Load.model_fields})


def write(document: BaseModel, stack: str, out: Path | None, name: str) -> Path:
    """Write a record into the stack's folder, or into `out`."""
    path = (out or ROOT / "out" / stack) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(document), indent=1) + "\n", encoding="utf-8")
    return path
