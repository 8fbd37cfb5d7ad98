"""Probes: what the machine can do, apart from any training. Not scored.

GEMM peak, memory bandwidth, an all-reduce sweep (algorithm bandwidth S/t, bus bandwidth times
2(n-1)/n): all ranks run at the same time, so the numbers are those under contention that
training meets. Then rank 0 alone: storage, see `benchmark.telemetry.storage_probes`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

from benchmark.core.ranks import RankContext
from benchmark.core.store import Store
from benchmark.telemetry import storage_probes

ALL_REDUCE_BYTES = (4 << 10, 64 << 10, 1 << 20, 8 << 20, 32 << 20)


def best(function: Callable[[], Any], ranks: RankContext, repeats: int) -> float:
    """Shortest seconds of `repeats` calls after one warm-up."""
    function()
    times = []
    for _ in range(repeats):
        ranks.synchronise()
        start = time.perf_counter()
        function()
        ranks.synchronise()
        times.append(time.perf_counter() - start)
    return min(times)


def gemm(ranks: RankContext) -> dict[str, Any]:
    """GFLOP/s of one rank for a square matrix product, while all ranks do the same."""
    size, repeats = (512, 8) if ranks.device == "cpu" else (8192, 20)
    ranks.barrier()
    rates = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a = torch.randn(size, size, device=ranks.device).to(dtype)
        rates[f"{name}_gflops"] = round(
            2 * size**3 / best(partial(torch.matmul, a, a), ranks, repeats) / 1e9, 1
        )
    return {"size": size, **rates}


def memory_bandwidth(ranks: RankContext) -> float:
    """GB/s of one rank for a = b + c on arrays far larger than the caches (two reads, one write)."""
    count = 16 << 20 if ranks.device == "cpu" else 256 << 20
    b, c = (torch.ones(count, device=ranks.device) for _ in range(2))
    a = torch.empty_like(b)
    ranks.barrier()
    return round(12 * count / best(lambda: torch.add(b, c, out=a), ranks, 3) / 1e9, 2)


def all_reduce(ranks: RankContext) -> list[dict[str, float]]:
    """Median time and bandwidths by message size; empty for a single rank."""
    rows = []
    for size in ALL_REDUCE_BYTES if ranks.world_size > 1 else ():
        tensor = torch.ones(size // 4, device=ranks.device)
        times = []
        for i in range(12):
            ranks.barrier()
            ranks.synchronise()
            start = time.perf_counter()
            dist.all_reduce(tensor)
            ranks.synchronise()
            if i >= 2:
                times.append(time.perf_counter() - start)
        seconds = sorted(times)[len(times) // 2]
        rows.append(all_reduce_row(size, seconds, ranks.world_size))
    return rows


def all_reduce_row(size: int, seconds: float, ranks: int) -> dict[str, float]:
    algorithm = size / seconds / 1e9
    return {
        "bytes": size,
        "time_ms": round(seconds * 1e3, 4),
        "algbw_gb_s": round(algorithm, 4),
        "busbw_gb_s": round(algorithm * 2 * (ranks - 1) / ranks, 4),
    }


def run(ranks: RankContext, store: Store, prefix: str) -> dict[str, Any]:
    """All probes; every rank takes part, the result is the same on all."""
    rows = ranks.gather({"rank": ranks.rank, **gemm(ranks), "memory_gb_s": memory_bandwidth(ranks)})
    sweep = all_reduce(ranks)
    storage = ranks.once(lambda: storage_probes.run(store, prefix))
    return {
        "world_size": ranks.world_size,
        "device": ranks.device,
        "ranks": rows,
        "all_reduce": sweep,
        **storage,
    }
