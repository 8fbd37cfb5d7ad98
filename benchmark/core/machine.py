"""Facts about the machine that a rank runs on: processor, quota, versions."""

# ruff: noqa: PLC0415  (PyTorch takes seconds, which the check of a node does not have)
from __future__ import annotations

import os
import platform
import socket
from pathlib import Path
from typing import Any

# Dense BF16 peak with tensor cores, FLOP/s, by the names that the driver reports. A slice of one (MIG), or
# another make of it (NVL, PCIe), has a longer name and another peak.
GPU_PEAKS = {"H100 80GB HBM3": 989e12, "H100 SXM": 989e12, "H200": 989e12}


def facts() -> dict[str, Any]:
    import torch

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
    return GPU_PEAKS.get((name or "").removeprefix("NVIDIA "))
