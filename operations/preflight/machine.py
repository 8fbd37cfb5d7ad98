"""Facts about this machine: ports, routes, disk, memory. Linux; None means that it cannot be determined."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LISTENING = "0A"
# 0.0.0.0/1 and 128.0.0.0/1 together are a default route that does not replace the existing one.
HALF = 1


@dataclass(frozen=True)
class Route:
    """One row of the host's IPv4 routing table."""

    interface: str
    network: IPv4Network


def routes(table: Path = Path("/proc/net/route")) -> list[Route]:
    """The routes of the main table, without the default one and without its two halves that VPNs add."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    found = [Route(row[0], _network(row[1], row[7])) for row in rows if len(row) > 7]
    return [route for route in found if route.network.prefixlen > HALF]


def policy_routes() -> list[Route]:
    """Routes of the tables that only policy rules use, as VPNs do; none where `ip` is missing."""
    try:
        command = ["ip", "-4", "-json", "route", "show", "table", "all"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return other_tables(done.stdout)


def other_tables(text: str) -> list[Route]:
    """The same, from the output of `ip -4 -json route show table all`."""
    try:
        rows = json.loads(text or "[]")
        named = [r for r in rows if r.get("table", "main") not in ("main", "local", "default")]
        found = [
            Route(f"{r.get('dev', '?')}, table {r['table']}", IPv4Network(r["dst"]))
            for r in named
            if r.get("dst", "default") != "default" and r.get("type", "unicast") == "unicast"
        ]
    except (ValueError, AttributeError, TypeError):
        return []
    return [route for route in found if route.network.prefixlen > HALF]


def bridge_filtering(file: Path = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")) -> bool:
    """Whether this machine's kernel passes bridged traffic to the firewall: newer engines do not say."""
    try:
        return file.read_text(encoding="ascii").strip() == "1"
    except (OSError, UnicodeDecodeError):
        return False


def _network(destination: str, mask: str) -> IPv4Network:
    address, bits = (IPv4Address(struct.pack("<I", int(text, 16))) for text in (destination, mask))
    return IPv4Network(f"{address}/{bits}", strict=False)


def port_fault(address: str, port: int) -> str | None:
    """Why nothing can listen on that port, or None when it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As the engine does: lingering connections of an earlier listener do not matter.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is in use{listener(port)}"
            if error.errno == errno.EADDRNOTAVAIL:
                return f"{address} is not an address of this host"
            return f"{address}:{port} cannot be used: {error.strerror}"
    return None


def listener(port: int) -> str:
    """` by process 1234 (python3)`, or an empty string when this user may not see it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {r[9] for r in rows if r[3] == LISTENING and int(r[1].rpartition(":")[2], 16) == port}
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _sockets(process):
            return f" by process {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _sockets(process: Path) -> set[str]:
    """Inodes of a process's sockets; empty for a process that ended or belongs to somebody else."""
    found = set()
    try:
        for descriptor in (process / "fd").iterdir():
            # Descriptors may be closed while they are listed.
            with suppress(FileNotFoundError):
                found.add(os.readlink(descriptor).removeprefix("socket:[").rstrip("]"))
    except OSError:
        return set()
    return found


def free_disk(folder: str) -> int | None:
    """Free bytes for the engine's data, or None when the folder is not on this machine."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def available_memory(table: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be used without swapping."""
    try:
        for line in table.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
