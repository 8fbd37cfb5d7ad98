"""What every record of a measurement says of the machine."""

from __future__ import annotations

import os
import platform

from benchmark.cluster.hostload import HostLoad
from operations.documents import Load, Machine
from operations.engine.client import Engine


def machine() -> Machine:
    return Machine(cpus=os.cpu_count(), machine=platform.machine(), kernel=platform.release())


def host_load(engine: Engine, stack: str) -> HostLoad:
    """To be entered when all throw-away containers run: what they use is not that of other programs."""
    return HostLoad([container.name for container in engine.containers(stack) if container.running])


def load_of(host: HostLoad) -> Load:
    """After the end of its block."""
    return Load.model_validate({name: host.record.get(name) for name in Load.model_fields})


def interval(low: float | None, high: float | None) -> str:
    """A 95 % interval for a table; a dash where there is none."""
    return f"{low:.3f} to {high:.3f}" if low is not None else "-"
