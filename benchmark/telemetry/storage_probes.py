"""Probes of storage: one object at a time, a sustained load in segments, a checkpoint, the local disk.

The sustained load is cut into segments of one second, of which the fastest, the median and the slowest
are reported: a mean hides a store that stalls. Time to first byte is that of each GET under this load.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from benchmark.checkpoints import checkpoint
from benchmark.core import stats
from benchmark.core.store import Store

OBJECT_BYTES = (64 << 10, 1 << 20, 8 << 20)
LOAD_BYTES = 1 << 20  # of one object of the sustained load
LOAD_SECONDS = 5.0
LOAD_OBJECTS = 256  # at most, written and read: a slow disk must not be worn by a probe
CLIENTS = 4
CHECKPOINT_BYTES = 32 << 20
DISK_BYTES = 64 << 20

Finished = tuple[
    float, float
]  # seconds from the start of the load to the end of a request, to its first byte


def run(store: Store, prefix: str) -> dict[str, Any]:
    return {
        "object_store": objects(store, prefix),
        "object_store_load": load(store, prefix),
        "checkpoint": checkpoints(store, prefix),
        "disk": disk(),
    }


def objects(store: Store, prefix: str, repeats: int = 5) -> list[dict[str, float]]:
    """PUT and GET by object size: median milliseconds and MB/s, one client."""
    rows = []
    for size in OBJECT_BYTES:
        data, key = os.urandom(size), f"{prefix}/probe-{size}"
        put, get = [], []
        for _ in range(repeats):
            start = time.perf_counter()
            store.put(key, data)
            middle = time.perf_counter()
            store.get(key)
            put.append(middle - start)
            get.append(time.perf_counter() - middle)
        store.delete(key)
        put_s, get_s = sorted(put)[repeats // 2], sorted(get)[repeats // 2]
        rows.append(
            {
                "bytes": size,
                "put_ms": round(put_s * 1e3, 2),
                "get_ms": round(get_s * 1e3, 2),
                "put_mb_s": round(size / put_s / 1e6, 2),
                "get_mb_s": round(size / get_s / 1e6, 2),
            }
        )
    return rows


def load(
    store: Store, prefix: str, seconds: float = LOAD_SECONDS, most: int = LOAD_OBJECTS
) -> dict[str, dict[str, Any]]:
    """`put` and `get` of objects of 1 MiB by CLIENTS clients at once, each for at most `seconds`."""
    data = os.urandom(LOAD_BYTES)
    # A fast client gets further than a slow one, so the numbers have gaps.
    written: list[int] = []

    def key(i: int) -> str:
        return f"{prefix}/load-{i:04d}"

    def put(i: int) -> float:
        store.put(key(i), data)
        written.append(i)
        return 0.0

    def get(i: int) -> float:
        start = time.perf_counter()
        with store.open(key(written[i % len(written)])) as body:
            body.read(1)
            first = time.perf_counter() - start
            body.read()
        return first

    try:
        puts = _drive(put, seconds, most)
        gets = _drive(get, seconds, most)
    finally:
        for i in written:
            store.delete(key(i))
    first_ms = stats.percentiles([first * 1e3 for _, first in gets])
    shown = {f"ttfb_{k}_ms": None if v is None else round(v, 2) for k, v in first_ms.items()}
    return {"put": _summary(puts), "get": {**_summary(gets), **shown}}


def _drive(request: Callable[[int], float], seconds: float, most: int) -> list[Finished]:
    """Call `request(0)`, `request(1)`, … from CLIENTS threads until the time or the number is used up."""
    begin = time.perf_counter()

    def client(first: int) -> list[Finished]:
        done: list[Finished] = []
        # The first request of each is always made: a store slower than `seconds` has a figure too.
        for i in range(first, most, CLIENTS):
            if done and time.perf_counter() - begin > seconds:
                break
            first_byte = request(i)
            done.append((time.perf_counter() - begin, first_byte))
        return done

    with ThreadPoolExecutor(CLIENTS, thread_name_prefix="probe") as pool:
        found = [item for part in pool.map(client, range(CLIENTS)) for item in part]
    return sorted(found)


def _summary(finished: Sequence[Finished]) -> dict[str, Any]:
    ends = [end for end, _ in finished]
    rates = segments(ends, LOAD_BYTES)
    ordered = sorted(rates)
    row: dict[str, Any] = {
        "clients": CLIENTS,
        "object_bytes": LOAD_BYTES,
        "objects": len(ends),
        "seconds": round(ends[-1], 3),
        "mb_s": round(len(ends) * LOAD_BYTES / ends[-1] / 1e6, 2),
        "segments_mb_s": rates,
    }
    if ordered:
        row["segment_mb_s"] = {
            "fastest": ordered[-1],
            "median": ordered[(len(ordered) - 1) // 2],
            "slowest": ordered[0],
        }
    else:
        row["not_measured"] = {"segment_mb_s": "the load was over within a second"}
    return row


def segments(ends: Sequence[float], size: int) -> list[float]:
    """MB/s in each whole second, from the seconds at which requests of `size` bytes ended.

    The last second is whole only if the load went on beyond it, so it never counts.
    """
    whole = int(max(ends, default=0.0))
    counts = [0] * whole
    for end in ends:
        if end < whole:
            counts[int(end)] += 1
    return [round(n * size / 1e6, 2) for n in counts]


def checkpoints(store: Store, prefix: str, size: int = CHECKPOINT_BYTES) -> dict[str, float]:
    """Write a checkpoint of `size` bytes with its pointer, and load it with its hash checked."""
    state = {"step": 1, "weights": torch.rand(size // 4)}
    folder = f"{prefix}/probe-checkpoint"
    start = time.perf_counter()
    pointer = checkpoint.save(store, folder, 1, state)
    middle = time.perf_counter()
    checkpoint.load_latest(store, folder)
    end = time.perf_counter()
    for key in store.list(f"{folder}/"):
        store.delete(key)
    length = pointer["bytes"]
    return {
        "bytes": length,
        "write_s": round(middle - start, 3),
        "read_s": round(end - middle, 3),
        "write_mb_s": round(length / (middle - start) / 1e6, 1),
        "read_mb_s": round(length / (end - middle) / 1e6, 1),
    }


def disk() -> dict[str, float]:
    """Write with fsync, then read back, of the temporary directory (the page cache may serve the read)."""
    data = os.urandom(1 << 20)
    with tempfile.NamedTemporaryFile() as file:
        start = time.perf_counter()
        for _ in range(DISK_BYTES >> 20):
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
        write_s = time.perf_counter() - start
        start = time.perf_counter()
        file.seek(0)
        while file.read(1 << 20):
            pass
        read_s = time.perf_counter() - start
    return {
        "bytes": DISK_BYTES,
        "write_mb_s": round(DISK_BYTES / write_s / 1e6, 1),
        "read_cached_mb_s": round(DISK_BYTES / read_s / 1e6, 1),
    }
