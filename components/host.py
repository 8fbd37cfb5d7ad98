"""What this machine has: the one place on the planning side that looks at it."""

from __future__ import annotations

import os
from pathlib import Path

from components.config import HostFacts

# Set to `unknown` where the plan is checked on another machine than the one that will run it, as in CI.
VARIABLE = "AIDC_HOST"


def host_facts() -> HostFacts | None:
    """CPUs, memory in bytes and GPUs of this machine, or None when AIDC_HOST is `unknown`."""
    if os.environ.get(VARIABLE) == "unknown":
        return None
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    gpus = [p for p in Path("/dev").glob("nvidia[0-9]*") if p.name[len("nvidia") :].isdigit()]
    return HostFacts(cpus=os.cpu_count() or 1, memory=pages * size, gpus=len(gpus))
