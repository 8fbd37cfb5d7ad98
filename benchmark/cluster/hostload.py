"""The share of this machine's processors that other programs used during a measurement.

That is the busy time of all processors (user, nice, system and steal) minus the time of this program and its
descendants, of the measured containers, and of the engine's port forwarders. If the containers run elsewhere,
or the engine does not answer, the share is unknown and the reason is recorded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.cluster import engine
from benchmark.core.errors import StackError

FORWARDER = "docker-proxy"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
Record = dict[str, Any]


class HostLoad:
    """Measures from `with` to the end of its block; afterwards the load is in `record`."""

    def __init__(self, names: Sequence[str] = (), proc: Path = Path("/proc")) -> None:
        """`names`: the measured containers, whose time does not count as that of other programs."""
        self.names, self.proc, self.reason = names, proc, ""
        self.counters: list[Path] = []
        self.record: Record = {}

    def __enter__(self) -> HostLoad:
        try:
            self.counters = [counter(pid, self.proc) for pid in engine.pids(self.names)]
        except (StackError, OSError) as error:
            self.reason = f"the processor time of the containers is unknown: {error}"
        self.began, self.before = time.monotonic(), self._sample()
        return self

    def __exit__(self, *_: object) -> None:
        seconds, after, cores = time.monotonic() - self.began, self._sample(), os.cpu_count() or 1
        share = None
        if self.before and after:
            passed = [now - then for now, then in zip(after, self.before, strict=True)]
            if min(passed[2:], default=0) < 0:
                self.reason = "a container was started again meanwhile, which reset its counter"
            else:
                others_s = passed[0] - sum(passed[1:])
                share = round(min(1.0, max(0.0, others_s / max(seconds, TICK_S) / cores)), 4)
        self.record = {
            "seconds": round(seconds, 3),
            "cores": cores,
            "others_share": share,
            "load_1m": round(os.getloadavg()[0], 2),
            "not_measured": {"others_share": self.reason} if share is None else {},
        }

    def _sample(self) -> list[float] | None:
        """Seconds so far of all processors, of this program, and of each container; None if unknown."""
        if not self.reason:
            try:
                own = [processes_s(self.proc), *map(used_s, self.counters)]
                return [busy_s((self.proc / "stat").read_text()), *own]
            except (OSError, ValueError, IndexError) as error:
                self.reason = f"processor times cannot be read: {error}"
        return None


def counter(pid: int, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")) -> Path:
    """The file with the processor time of a process's control group (v1 or v2); OSError if there is none."""
    groups = [line.split(":", 2) for line in (proc / str(pid) / "cgroup").read_text().splitlines()]
    for _, controllers, path in groups:
        if "cpuacct" in controllers.split(","):
            return root / "cpuacct" / path.lstrip("/") / "cpuacct.usage"
        if len(groups) == 1:
            return root / path.lstrip("/") / "cpu.stat"
    raise OSError(f"process {pid} is in no control group that counts processor time")


def used_s(path: Path) -> float:
    """`cpuacct.usage` is a number of nanoseconds; `cpu.stat` begins with `usage_usec` and a number."""
    words = path.read_text().split()
    return int(words[1]) * 1e-6 if path.name == "cpu.stat" else int(words[0]) * 1e-9


def busy_s(stat: str) -> float:
    """Busy seconds of all processors since the start, from the text of /proc/stat.

    Interrupts are left out: they cannot be attributed.
    """
    user, nice, system, _, _, _, _, steal = (int(n) for n in stat.split("\n", 1)[0].split()[1:9])
    return (user + nice + system + steal) * TICK_S


def processes_s(proc: Path) -> float:
    """Seconds of this process, of all its descendants, including dead ones, and of the port forwarders."""
    times: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    wanted = [os.getpid()]
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, ValueError):  # it has ended meanwhile
            name, fields = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            rest = fields.split()
            pid = int(entry.name)
            times[pid] = sum(int(t) for t in rest[11:15]) * TICK_S  # its own, and of children waited for
            children.setdefault(int(rest[1]), []).append(pid)
            if name == FORWARDER:
                wanted.append(pid)
    total = 0.0
    while wanted:
        pid = wanted.pop()
        total += times.get(pid, 0.0)
        wanted += children.get(pid, [])
    return total
