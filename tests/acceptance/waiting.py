"""Waiting for what the stack does by itself: for a condition, as long as it takes, never for a time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

from components.planning.inventory import Inventory
from components.runtime.health import judge
from components.runtime.labels import KIND

# Only a fault takes so long: no test waits for it on a machine that is merely slow. Seconds.
WITHIN = 300


def eventually(true: Callable[[], bool], within: float = WITHIN, every: float = 0.5) -> bool:
    """Whether the condition held within so many seconds; asked every `every` of them, at once at first."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def unwell(inventory: Inventory) -> dict[str, str]:
    """Service → its state, of all that are not healthy, or finished where they are jobs."""
    names = [service.container for service in inventory.services]
    found = {}
    for container in json.loads(subprocess.check_output(["docker", "inspect", *names])):
        job = container["Config"]["Labels"].get(KIND) == "job"
        verdict = judge(container["State"], container["RestartCount"], job)
        if not verdict.done:
            found[container["Name"].lstrip("/")] = verdict.state
    return found


def settle(inventory: Inventory) -> None:
    """Return once every service is healthy: what a test did to one may still be felt by others."""
    assert eventually(lambda: not unwell(inventory)), unwell(inventory)


def heal(stack: str) -> None:
    """Return once every object has all its shards: one that was written while a node was away has not."""

    def whole() -> bool:
        command = [sys.executable, "-m", "operations", "scrub", "--stack", stack]
        return subprocess.run(command, check=False).returncode == 0

    assert eventually(whole)
