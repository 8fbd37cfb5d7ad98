"""Faults, injected through the Docker engine: a rank's process, a node or the head is killed.

Everything is killed by SIGKILL, without a chance to shut down cleanly. The engine does not restart what was
killed through it, so the container is started again here after `outage_s`, as an operator would.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.cluster.engine import Engine
from benchmark.core.errors import StackError

LOST = {"worker": "a worker", "node": "a node", "driver": "the driver's node", "head": "the head node"}
CASES = tuple(LOST)
HEALTHY_S = 300
# Run in a node's container, as the user of its processes: kills the ranks there and prints the time.
KILL_RANKS = """
import os, signal, time
ranks = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        title = open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        continue
    if title.startswith(b"ray::") and b"TrainingRank" in title:
        ranks.append(int(pid))
at = time.time_ns() // 1_000_000
for pid in ranks:
    os.kill(pid, signal.SIGKILL)
print(at if ranks else 0)
"""


@dataclass(frozen=True)
class Target:
    """What a case kills: the container of `service`, or (`process`) the ranks in it."""

    service: str
    container: str
    lost: str
    process: bool = False


def choose(
    case: str, services: Sequence[Mapping[str, Any]], hosts: Sequence[str], driver_address: str | None
) -> Target:
    """The target of `case`. `hosts`: the service of each rank; `driver_address`: of the job's driver.

    worker  the process of rank 0, which writes the checkpoints
    node    a node without the driver, and without rank 0 where possible
    driver  the node that holds the job's driver: the job is lost with it
    head    the head node
    """
    nodes = [s for s in services if s["role"] == "compute"]
    if case == "head":
        head = next((s for s in services if s["role"] == "ray-head"), None)
        if head is None:
            raise StackError("inventory.services: none has the role 'ray-head'")
        return Target(head["name"], head["container"], LOST[case])
    if case == "worker":
        candidates = [s for s in nodes if s["name"] in hosts[:1]]
    else:
        candidates = [s for s in nodes if (driver_address in s["addresses"].values()) == (case == "driver")]
        candidates.sort(key=lambda s: s["name"] in hosts[:1])
    if not candidates:
        raise StackError(
            f"case {case}: none of the {len(nodes)} compute nodes fits: ranks on {', '.join(hosts) or '?'}, "
            f"driver on {driver_address or '?'}"
        )
    return Target(candidates[0]["name"], candidates[0]["container"], LOST[case], process=case == "worker")


class Injector:
    """Causes the faults and watches the recovery."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def cause(self, target: Target, outage_s: float) -> int:
        """Kill the target, and start a killed container again; the time of the kill in ms. StackError."""
        if target.process:
            return self._kill_ranks(target.container)
        at = time.time_ns() // 1_000_000
        self.engine.kill(target.container)
        try:
            time.sleep(outage_s)
        finally:  # an interruption too leaves the stack whole
            self.engine.start(target.container)
        return at

    def _kill_ranks(self, container: str) -> int:
        _, output = self.engine.run(container, ["python3", "-c", KILL_RANKS])
        if not output.isdigit() or int(output) == 0:
            raise StackError(f"{container}: no rank of a training job to kill: {output or 'no answer'}")
        return int(output)

    def await_healthy(self, container: str, timeout_s: float = HEALTHY_S) -> float | None:
        """Seconds since the epoch at which its health check passed; None on a time-out, or if it is gone."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                state = self.engine.state(container)
            except StackError:
                return None
            if state["Running"] and state.get("Health", {}).get("Status", "healthy") == "healthy":
                return time.time()
            time.sleep(1)
        return None
