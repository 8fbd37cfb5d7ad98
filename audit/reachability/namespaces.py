"""Probers in network namespaces, and one that stands for another host. Effects: processes, a veth pair.

All probers get their order before any answer is read, so that they work at the same time.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from audit.reachability.probes import GATE_ADDRESS, GATE_IPV6, OUTSIDE_ADDRESS, OUTSIDE_IPV6

SCRIPT = Path(__file__).parent / "prober.py"
# Isolated and without site packages: 60 ms instead of 300.
PROBER = (sys.executable, "-I", "-S", str(SCRIPT))
PREFIX = "aidc-audit-"
# Seconds for one order. Probes take 3 s at most, on a busy machine a few more.
LIMIT = 120.0


class NamespaceError(Exception):
    """A namespace cannot be made or entered; the text says why."""


class Prober:
    """A prober in one namespace; `prefix` enters it. Ends with its standard input."""

    def __init__(self, *prefix: str) -> None:
        self.process = subprocess.Popen(
            (*prefix, *PROBER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, **wanted: Any) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(wanted) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise NamespaceError(self._why()) from None

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        # One line per order: nothing of the next one can be in the buffer.
        if not select.select([self.process.stdout], [], [], LIMIT)[0]:
            self.process.kill()
            raise NamespaceError(f"prober: no answer within {LIMIT:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise NamespaceError(self._why())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **wanted: Any) -> dict[str, Any]:
        self.send(**wanted)
        return self.receive()

    def _why(self) -> str:
        _, errors = self.process.communicate()
        return f"prober: {errors.strip().splitlines()[-1] if errors.strip() else 'it ended'}"

    def end(self) -> None:
        """Close its input, which ends it; kill it if it does not end."""
        try:
            self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


class Probers:
    """One prober per place; ends them all when the context is left."""

    def __init__(self) -> None:
        self.members: dict[str, Prober] = {}

    def add(self, place: str, *prefix: str) -> None:
        self.members[place] = Prober(*prefix)

    def ask(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Place → order; place → answer. All work at once."""
        for place, order in wanted.items():
            self.members[place].send(**order)
        return {place: self.members[place].receive() for place in wanted}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for prober in self.members.values():
            if prober.process.stdin and not prober.process.stdin.closed:
                prober.process.stdin.close()
                prober.process.stdin = None
        for prober in self.members.values():
            prober.end()


def of_process(pid: int) -> tuple[str, ...]:
    """The prefix that enters a process's network namespace."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net")


class OtherHost:
    """A namespace behind a veth pair: nobody's addresses, and a route to the stack through this host."""

    def __init__(self) -> None:
        self.name = f"{PREFIX}{os.getpid()}"
        # At most 15 characters; the process's number keeps two audits apart.
        self.link = f"aa{os.getpid()}"[:15]
        self.prefix = ("nsenter", f"--net=/run/netns/{self.name}")

    def __enter__(self) -> Self:
        sweep()
        try:
            for command in self._commands():
                _run(command)
        except NamespaceError:
            self._remove()
            raise
        # Without IPv6 on this machine there is nothing to try; the control shows that.
        for command in (
            f"ip address add {GATE_IPV6}/64 dev {self.link} nodad",
            f"ip -n {self.name} address add {OUTSIDE_IPV6}/64 dev eth0 nodad",
            f"ip -n {self.name} route add default via {GATE_IPV6}",
        ):
            subprocess.run(command.split(), capture_output=True, check=False)
        return self

    def _commands(self) -> Sequence[str]:
        return (
            f"ip netns add {self.name}",
            f"ip link add {self.link} type veth peer name eth0 netns {self.name}",
            f"ip address add {GATE_ADDRESS}/30 dev {self.link}",
            f"ip link set {self.link} up",
            f"ip -n {self.name} address add {OUTSIDE_ADDRESS}/30 dev eth0",
            f"ip -n {self.name} link set eth0 up",
            f"ip -n {self.name} link set lo up",
            f"ip -n {self.name} route add default via {GATE_ADDRESS}",
        )

    def _remove(self) -> None:
        for command in (f"ip link delete {self.link}", f"ip netns delete {self.name}"):
            subprocess.run(command.split(), capture_output=True, check=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()


def sweep() -> None:
    """Remove what a killed audit left behind; another audit that is running keeps its own."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.startswith(PREFIX)):
        if not Path(f"/proc/{name.removeprefix(PREFIX)}").exists():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _run(command: str) -> None:
    try:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NamespaceError(f"{command.partition(' ')[0]} is missing on this machine") from None
    if done.returncode:
        raise NamespaceError(f"{command}: {done.stderr.strip()}")
