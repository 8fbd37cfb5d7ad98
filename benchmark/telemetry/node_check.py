"""`python -P -m benchmark.telemetry.node_check`: what a node has to say of itself before it gets ranks.

Prints one JSON document in a second or two; the judgement is made where all nodes are known. Room on its file
systems and memory in bytes, its clock in seconds since 1970, temperatures in degrees Celsius, and the GFLOP/s
of a matrix product on one core and on each GPU, measured for `--seconds`. Exit code 0.
"""

# ruff: noqa: PLC0415  (PyTorch takes seconds, and only a GPU needs it)
from __future__ import annotations

import argparse
import csv
import http.client
import io
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before numpy is imported: the speed of one core can be compared between nodes of different sizes.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from benchmark.core import scratch
from benchmark.core.machine import cpu_model, memory_limit

PLACES = ("/tmp", "/dev/shm", "/")
SIZE, GPU_SIZE = 512, 4096
LEAST = 5  # products, also on a machine that is slow
GPU_QUERY = (
    "uuid,name,temperature.gpu,clocks_throttle_reasons.hw_thermal_slowdown,"
    "clocks_throttle_reasons.sw_thermal_slowdown,ecc.errors.uncorrected.volatile.total"
)
AGENT = "6384/api/local_raylet_healthz"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmark.telemetry.node_check", description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.8, help="of the matrix product (default: 0.8)")
    parser.add_argument("--gpus", type=int, default=0, help="number of GPUs that the node should have")
    parser.add_argument("--agent", default=AGENT, help="PORT/PATH at which Ray says that the node is well")
    options = parser.parse_args(arguments)
    scratch.sweep()  # what nobody holds any more takes no room away
    found: dict[str, Any] = {
        "time": time.time(),
        "answer": answer(options.agent),
        "disk": {place: room(place) for place in PLACES},
        "memory": memory(),
        "thermal": temperatures(),
        "cpu": processor(options.seconds),
    }
    if options.gpus:
        found["gpus"], found["gpu_fault"] = gpus(options.seconds)
    print(json.dumps(found))
    return 0


def answer(agent: str) -> str:
    """Empty when Ray's agent on this node says that all is well, else what it says."""
    port, _, path = agent.partition("/")
    connection = http.client.HTTPConnection(
        os.environ.get("AIDC_FABRIC_ADDRESS", "127.0.0.1"), int(port), timeout=3
    )
    try:
        connection.request("GET", f"/{path}")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer within 3 s: {error}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"HTTP {status}"


def room(place: str) -> dict[str, int] | None:
    """Bytes of a file system; None where there is none."""
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    return {"total": found.f_blocks * found.f_frsize, "free": found.f_bavail * found.f_frsize}


def memory(root: Path = Path("/sys/fs/cgroup"), host: Path = Path("/proc/meminfo")) -> dict[str, int | None]:
    """Bytes: the node's limit, what it uses without file cache, and what its machine has left."""
    available = None
    for line in host.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    return {"limit": memory_limit(root), "used": _used(root), "host_available": available}


def _used(root: Path) -> int | None:
    for usage, details, cache in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        try:
            rows = dict(line.split() for line in (root / details).read_text().splitlines())
            return int((root / usage).read_text()) - int(rows.get(cache, 0))
        except (OSError, ValueError):
            continue
    return None


def temperatures(root: Path = Path("/sys/class/thermal")) -> dict[str, dict[str, float | None]]:
    """Zone → its temperature, and the one that counts as critical; empty where nothing can be read."""
    found = {}
    for zone in sorted(root.glob("thermal_zone*")):
        try:
            name = f"{zone.name} {(zone / 'type').read_text().strip()}"
            critical = None
            for kind in zone.glob("trip_point_*_type"):
                if kind.read_text().strip() == "critical":
                    critical = int(kind.with_name(kind.name.replace("type", "temp")).read_text()) / 1000
            found[name] = {"now": int((zone / "temp").read_text()) / 1000, "critical": critical}
        except (OSError, ValueError):
            continue
    return found


def processor(seconds: float) -> dict[str, Any]:
    """GFLOP/s of one core, median over `seconds`; `others`: cores that other processes took meanwhile."""
    matrix = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    used, own, begun = _cpu_seconds(), time.process_time(), time.perf_counter()
    rate = median_rate(lambda: matrix @ matrix, SIZE, seconds)
    own, wall, after = time.process_time() - own, time.perf_counter() - begun, _cpu_seconds()
    others = round(max(0.0, after - used - own) / wall, 2) if used is not None and after is not None else None
    return {"model": cpu_model(), "gflops": rate, "others": others}


def median_rate(product: Callable[[], Any], size: int, seconds: float) -> float:
    """GFLOP/s of products of two square matrices, after one to warm up."""
    product()
    times: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(times) < LEAST or time.perf_counter() < deadline:
        begun = time.perf_counter()
        product()
        times.append(time.perf_counter() - begun)
    return round(2 * size**3 / statistics.median(times) / 1e9, 2)


def _cpu_seconds(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPU time of everything in this container."""
    try:
        rows = dict(line.split() for line in (root / "cpu.stat").read_text().splitlines())
        return int(rows["usage_usec"]) / 1e6
    except (OSError, ValueError, KeyError):
        pass
    try:
        return int((root / "cpuacct/cpuacct.usage").read_text()) / 1e9
    except (OSError, ValueError):
        return None


def gpus(seconds: float) -> tuple[list[dict[str, Any]], str]:
    """What nvidia-smi says of each GPU and how fast it is; and what went wrong."""
    command = ["nvidia-smi", f"--query-gpu={GPU_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"nvidia-smi: {error}"[:300]
    if done.returncode:
        return [], f"nvidia-smi: {(done.stdout + done.stderr).strip()[:300]}"
    found = listed(done.stdout)
    try:
        import torch

        for number, gpu in enumerate(found):
            gpu["gflops"] = _gpu_rate(torch, number, seconds)
    except (ImportError, RuntimeError) as error:
        return found, f"matrix product: {str(error).splitlines()[0][:300]}"
    return found, ""


def listed(text: str) -> list[dict[str, Any]]:
    """The rows of nvidia-smi; None for what a GPU does not tell."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if len(row) == 6]
    return [
        {
            "uuid": uuid,
            "name": name,
            "temperature": int(temperature) if temperature.isdigit() else None,
            "slowed": "Active" in (hardware, software),
            "ecc_errors": int(ecc) if ecc.isdigit() else None,
            "gflops": None,
        }
        for uuid, name, temperature, hardware, software, ecc in rows
    ]


def _gpu_rate(torch: Any, number: int, seconds: float) -> float:
    matrix = torch.randn(GPU_SIZE, GPU_SIZE, device=f"cuda:{number}", dtype=torch.bfloat16)

    def product() -> None:
        torch.matmul(matrix, matrix)
        torch.cuda.synchronize(number)

    return median_rate(product, GPU_SIZE, seconds)


if __name__ == "__main__":
    raise SystemExit(main())
