"""Facts about the machine that a rank runs on: processor, quota, versions, energy counters."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")
# Dense BF16 peak with tensor cores, FLOP/s, by the names that the driver reports.
GPU_PEAKS = {"H100 80GB HBM3": 989e12, "H100 SXM": 989e12, "H200": 989e12}


def facts() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "cpu_model": cpu_model(),
        "cpus_visible": len(os.sched_getaffinity(0)),
        "cpu_quota": cpu_quota(),
        "threads": torch.get_num_threads(),
        "memory_limit_bytes": memory_limit(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "isa": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kernel": platform.release(),
    }


def cpu_model(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPUs that the control group grants, or None without a limit. Knows both cgroup versions."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        value = int((root / "cpu/cpu.cfs_quota_us").read_text())
        return None if value < 0 else value / int((root / "cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None


def memory_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            value = int((root / name).read_text())
        except (OSError, ValueError):
            continue
        return value if value < 1 << 60 else None
    return None


def gpu_peak(name: str | None) -> float | None:
    """Dense BF16 FLOP/s of a GPU that we know, else None: a wrong peak is worse than none."""
    return next((peak for part, peak in GPU_PEAKS.items() if name and part in name), None)


class EnergyMeter:
    """Joules since `start()` by the processor's RAPL counters; None and a reason without them."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self.counters = [p for p in sorted(root.glob("*-rapl:?")) if os.access(p / "energy_uj", os.R_OK)]
        self.before: list[int] = []
        self.reason = "" if self.counters else "no readable RAPL energy counter on this machine"

    def start(self) -> None:
        self.before = [self._read(c, "energy_uj") for c in self.counters]

    def joules(self) -> float | None:
        if not self.counters or not self.before:
            return None
        total = 0
        for counter, before in zip(self.counters, self.before, strict=True):
            after = self._read(counter, "energy_uj")
            total += (
                after - before
                if after >= before
                else after - before + self._read(counter, "max_energy_range_uj")
            )
        return total / 1e6

    @staticmethod
    def _read(counter: Path, name: str) -> int:
        return int((counter / name).read_text())
