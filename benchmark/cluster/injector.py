"""Faults, caused through the Docker engine: a rank's process, a node or the head is killed.

Everything is SIGKILL: what dies has no chance to say goodbye. The engine does not restart what was
killed through it, so the container is started again here after `outage_s`, as an operator would.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.core.errors import StackError

LOST = {"worker": "a worker", "node": "a node", "driver": "the driver's node", "head": "the head node"}
CASES = tuple(LOST)
HEALTHY_S = 300
# Run in a node's container, as the user of its processes: kills the ranks there, prints when.
KILL_RANKS = """
import os, signal, time
ranks = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        title = open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        continue
    if title.startswith(b"ray::") and b"TrainWorker" in title:
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
    node    a node without the driver, of another rank than 0 where that can be
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
        found = [s for s in nodes if s["name"] in hosts[:1]]
    else:
        found = [s for s in nodes if (driver_address in s["addresses"].values()) == (case == "driver")]
        found.sort(key=lambda s: s["name"] in hosts[:1])
    if not found:
        raise StackError(
            f"case {case}: none of the {len(nodes)} compute nodes fits: ranks on {', '.join(hosts) or '?'}, "
            f"driver on {driver_address or '?'}"
        )
    return Target(found[0]["name"], found[0]["container"], LOST[case], process=case == "worker")


class Injector:
    """The engine that DOCKER_HOST names, else the local one."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def cause(self, target: Target, outage_s: float) -> int:
        """Kill, and bring back what is a container; when it died, in ms. Raises StackError."""
        try:
            if target.process:
                return self._kill_ranks(target.container)
            at = time.time_ns() // 1_000_000
            self.client.api.kill(target.container)
            try:
                time.sleep(outage_s)
            finally:  # Ctrl-C too leaves the stack whole
                self.client.api.start(target.container)
            return at
        except StackError:
            raise
        except Exception as error:  # the SDK raises a dozen types of its own and of requests
            raise StackError(f"{target.container}: the engine refused the fault: {error}") from error

    def _kill_ranks(self, container: str) -> int:
        api = self.client.api
        created = api.exec_create(container, ["python3", "-c", KILL_RANKS], stderr=True)
        said = api.exec_start(created["Id"]).decode(errors="replace").strip()
        if not said.isdigit() or int(said) == 0:
            raise StackError(f"{container}: no rank of a training job to kill there: {said or 'no answer'}")
        return int(said)

    def await_healthy(self, container: str, timeout_s: float = HEALTHY_S) -> float | None:
        """Seconds since the epoch at which its health check passed; None if it did not, or is gone."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                state = self.client.api.inspect_container(container)["State"]
            except Exception:
                return None
            if state["Running"] and state.get("Health", {}).get("Status", "healthy") == "healthy":
                return time.time()
            time.sleep(1)
        return None


def connect() -> Injector:
    import docker  # noqa: PLC0415  (only this command needs the engine)

    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except Exception as error:
        raise StackError(
            f"the Docker engine does not answer: {error}. Run this on the machine that holds the stack, "
            "or name its engine in DOCKER_HOST"
        ) from error
    return Injector(client)
