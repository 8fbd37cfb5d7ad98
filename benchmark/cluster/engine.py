"""What the benchmark does to the stack's containers themselves: end a process, enter a network.

The only part of the benchmark that needs the engine: clients of a stack have its endpoints alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import docker
from docker.errors import DockerException

from benchmark.core.errors import StackError


def at_address(inventory: Mapping[str, Any], address: str) -> str:
    """The container of the service that has `address` in any segment."""
    for service in inventory.get("services", []):
        if address in service["addresses"].values():
            return str(service["container"])
    raise StackError(f"inventory.services: none has the address {address}")


def names(inventory: Mapping[str, Any]) -> list[str]:
    """All containers of the stack."""
    return [str(service["container"]) for service in inventory.get("services", [])]


def of_role(inventory: Mapping[str, Any], role: str) -> list[Mapping[str, Any]]:
    return [service for service in inventory.get("services", []) if service["role"] == role]


def pids(of: Sequence[str]) -> list[int]:
    """The first process of each container that runs, as this machine counts; StackError without an engine."""
    if not of:
        return []
    try:
        client = _client()
        found = [int(client.containers.get(name).attrs["State"]["Pid"]) for name in of]
    except (DockerException, OSError) as error:
        raise StackError(f"the engine cannot be asked: {error}") from None
    return [pid for pid in found if pid]


def kill(container: str, pid: int) -> None:
    """SIGKILL to a process of the container, named by the number that it has in there."""
    try:
        code, said = _client().containers.get(container).exec_run(["/bin/sh", "-c", f"kill -9 {int(pid)}"])
    except (DockerException, OSError) as error:
        raise StackError(f"{container}: the engine cannot run a command in it: {error}") from None
    if code:
        raise StackError(f"{container}: kill -9 {pid}: {said.decode(errors='replace').strip()}")


def network_of(container: str) -> tuple[str, ...]:
    """The command prefix that enters the container's network namespace; StackError without the right to."""
    if os.geteuid() != 0:
        raise StackError(f"{container}: only root may enter its network: run this command as root")
    try:
        pid = int(_client().containers.get(container).attrs["State"]["Pid"])
    except (DockerException, OSError) as error:
        raise StackError(f"{container}: the engine cannot be asked: {error}") from None
    if not pid or not os.path.exists(f"/proc/{pid}/ns/net"):
        raise StackError(f"{container}: does not run on this machine, so its network cannot be entered")
    return ("nsenter", f"--net=/proc/{pid}/ns/net")


def _client() -> Any:
    return docker.from_env(timeout=60)
