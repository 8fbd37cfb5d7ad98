"""What the benchmark does to the stack's containers: inspect, kill and start them, run a command in one.

The only part of the benchmark that needs the engine: clients of a stack have its endpoints alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import docker

from benchmark.core.errors import StackError

TIMEOUT_S = 120
T = TypeVar("T")


class Engine:
    """The containers of an engine, by name. Every method raises a StackError that names the container."""

    def __init__(self, client: Any) -> None:
        self.api = client.api

    def state(self, container: str) -> dict[str, Any]:
        """`Running`, `Pid` as this machine counts, `Health`, …"""
        state: dict[str, Any] = _asked(
            container, "be inspected", lambda: self.api.inspect_container(container)["State"]
        )
        return state

    def kill(self, container: str) -> None:
        """SIGKILL to its first process. The engine does not start again what was killed through it."""
        _asked(container, "be killed", lambda: self.api.kill(container))

    def start(self, container: str) -> None:
        _asked(container, "be started", lambda: self.api.start(container))

    def run(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and output of a command in the container, as the user of its processes."""

        def run() -> tuple[int, str]:
            created = self.api.exec_create(container, list(command), stderr=True)
            output = self.api.exec_start(created["Id"]).decode(errors="replace").strip()
            return self._exit_code(created["Id"]), output

        return _asked(container, "run a command", run)

    def _exit_code(self, identifier: str) -> int:
        """None for a moment, though the output has ended: the engine has not yet noted the exit."""
        for _ in range(50):
            code = self.api.exec_inspect(identifier)["ExitCode"]
            if code is not None:
                return int(code)
            time.sleep(0.1)
        raise TimeoutError("the engine does not say how the command ended")


def _asked(container: str, what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception as error:  # the SDK raises a dozen types of its own and of requests
        raise StackError(f"{container}: cannot {what}: {error}") from error


def connect() -> Engine:
    """The engine that DOCKER_HOST names, else the local one; StackError if it does not answer."""
    try:
        client = docker.from_env(timeout=TIMEOUT_S)
        client.ping()
    except Exception as error:
        raise StackError(
            f"the Docker engine does not answer: {error}. Run this on the machine that holds the stack, "
            "or name its engine in DOCKER_HOST"
        ) from error
    return Engine(client)


def pids(containers: Sequence[str]) -> list[int]:
    """The first process of each container that runs, as this machine counts; StackError without an engine."""
    if not containers:
        return []
    engine = connect()
    running = [int(engine.state(container)["Pid"]) for container in containers]
    return [pid for pid in running if pid]


def kill_process(container: str, pid: int) -> None:
    """SIGKILL to a process of the container; `pid` as the container counts."""
    code, output = connect().run(container, ["/bin/sh", "-c", f"kill -9 {int(pid)}"])
    if code:
        raise StackError(f"{container}: kill -9 {pid}: {output}")


def network_prefix(container: str) -> tuple[str, ...]:
    """The command prefix that enters the container's network namespace; StackError if not allowed to."""
    if os.geteuid() != 0:
        raise StackError(f"{container}: only root can enter its network: run this command as root")
    pid = int(connect().state(container)["Pid"])
    if not pid or not os.path.exists(f"/proc/{pid}/ns/net"):
        raise StackError(f"{container}: does not run on this machine, so its network cannot be entered")
    return ("nsenter", f"--net=/proc/{pid}/ns/net")
