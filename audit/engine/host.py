"""Processes and interfaces of this host that touch the stack. Effects: reads /proc and /sys, needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC, NET = Path("/proc"), Path("/sys/class/net")


@dataclass(frozen=True)
class ForeignProcess:
    """A process in a container's network namespace that is not in its process namespace."""

    container: str
    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid}) in {self.container}"


def foreign_processes(containers: Mapping[str, int], ignore: Iterable[int]) -> list[ForeignProcess]:
    """Processes in the network namespace of a container that do not belong to the container.

    `containers`: container → its first process. Our own probers are in `ignore`.
    """
    own = os.stat(PROC / "self/ns/net").st_ino
    spaces = {}
    for container, pid in containers.items():
        network, processes = _space(pid, "net"), _space(pid, "pid")
        # A container in the host's network shares it with all processes of the host.
        if network and network != own:
            spaces[network] = (container, processes)
    ignored, found = set(ignore), []
    for entry in PROC.glob("[0-9]*"):
        pid = int(entry.name)
        container, processes = spaces.get(_space(pid, "net"), ("", 0))
        if container and pid not in ignored and _space(pid, "pid") not in (processes, 0):
            found.append(ForeignProcess(container, pid, _command(entry)))
    return found


def _space(pid: int, kind: str) -> int:
    """The namespace's number; 0 for a process that has ended."""
    try:
        return os.stat(PROC / str(pid) / "ns" / kind).st_ino
    except OSError:
        return 0


def _command(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return "(ended)"


def ports(bridges: Iterable[str]) -> dict[str, dict[str, int]]:
    """Bridge → interface on it → its index."""
    found: dict[str, dict[str, int]] = {}
    for bridge in bridges:
        members = NET / bridge / "brif"
        names = sorted(p.name for p in members.iterdir()) if members.is_dir() else []
        found[bridge] = {name: _index(NET / name / "ifindex") for name in names}
    return found


def peers(pids: Iterable[int]) -> list[int]:
    """The indices on the host at which the interfaces of containers end.

    A container in the host's own network has none of its own, only the host's.
    """
    own = os.stat(PROC / "self/ns/net").st_ino
    return [
        _index(interface / "iflink")
        for pid in pids
        if _space(pid, "net") != own
        for interface in _listed(PROC / str(pid) / "root" / "sys/class/net")
    ]


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _index(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def nameservers(pid: int) -> str:
    """The resolv.conf of a container, as its processes see it."""
    try:
        return (PROC / str(pid) / "root/etc/resolv.conf").read_text()
    except OSError:
        return ""


def addresses() -> list[str]:
    """IPv4 addresses of this host, the loopback's left out."""
    listed = subprocess.run(
        ["ip", "-4", "-oneline", "address", "show"], capture_output=True, text=True, check=False
    ).stdout
    found = [line.split()[3].partition("/")[0] for line in listed.splitlines() if len(line.split()) > 3]
    return [address for address in found if not address.startswith("127.")]
