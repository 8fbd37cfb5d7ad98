"""The stack whose alerts are caused: its services by name, and commands in them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import testinfra

from components.planning.inventory import Inventory
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.disks import Disks, run
from tests.alerts.watch import State, Watch


@dataclass
class Site:
    """`work` goes on until it is left; `receiver` is the folder of the server that takes alerts."""

    inventory: Inventory
    access: dict[str, Any]
    ca_file: str
    disks: Disks
    watch: Watch
    receiver: Path
    work: list[threading.Thread] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def name(self, role: str, number: int = 0) -> str:
        """The container of a service."""
        return self.inventory.by_role(role)[number].container

    def inside(self, role: str, number: int = 0) -> Any:
        """testinfra's view from inside that container."""
        return testinfra.get_host(f"docker://{self.name(role, number)}")

    def endpoint(self, name: str) -> str:
        """Where it is published."""
        return str(self.inventory.endpoints[name])

    def meanwhile(self, do: Callable[[], None]) -> None:
        """`do` again and again beside everything else, until all is over."""

        def work() -> None:
            while not self.over.is_set():
                do()

        self.once(work)

    def once(self, do: Callable[[], None]) -> None:
        """`do` beside everything else."""
        self.work.append(threading.Thread(target=do, daemon=True))
        self.work[-1].start()

    def wait(self, alert: str, state: State, seconds: float) -> bool:
        """Whether the alert was seen in that state within so many seconds from now, or before."""
        end = self.watch.seconds + seconds
        while state not in self.watch.of(alert).since and self.watch.seconds < end:
            if self.over.wait(1.0):
                return False
        return state in self.watch.of(alert).since

    def leave(self) -> None:
        """Nothing goes on."""
        self.over.set()
        for thread in self.work:
            thread.join(60)


def docker(*arguments: str) -> str:
    """Raises AssertionError with what the engine said."""
    return run("docker", *arguments)


def aidc(*words: str) -> int:
    """The exit code of a command of the product."""
    command = [sys.executable, "-m", "operations", *words, "--stack", STACK]
    return subprocess.run(command, cwd=ROOT, check=False).returncode
