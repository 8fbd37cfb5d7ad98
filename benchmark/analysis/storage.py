"""What segments of a load on object stores say: throughput, latency, and ratios of stores. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.core import stats

MB = 1e6
Operation = Sequence[float]  # begin and end in seconds since the segment's start


def throughput(operations: Sequence[Operation], size: int, seconds: float) -> float:
    """Bytes per second within [0, seconds): an operation that ends later counts with its share of time."""
    shares = (min(1.0, (seconds - begin) / (end - begin)) for begin, end in operations if end > begin)
    return size * sum(shares) / seconds


def row(segments: Sequence[Mapping[str, Any]], size: int, seconds: float) -> dict[str, Any]:
    """One way to one store: the median segment in MB/s, latencies in ms over all segments, faults.

    `client_cpus`: cores that the client itself used; it shares the machine with the store.
    """
    rates = [throughput(segment["operations"], size, seconds) / MB for segment in segments]
    latencies = [(end - begin) * 1e3 for segment in segments for begin, end in segment["operations"]]
    shown = stats.percentiles(latencies)
    faults = [fault for segment in segments for fault in segment["faults"]]
    return {
        "mb_s": rates,
        "median_mb_s": statistics.median(rates),
        "operations": len(latencies),
        **{f"{name}_ms": shown[name] for name in ("p50", "p95", "p99")},
        "faults": len(faults),
        "first_fault": faults[0] if faults else None,
        "client_cpus": sum(segment["cpu_s"] for segment in segments) / (seconds * len(segments)),
    }


def ratio(of: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any] | None:
    """Throughput of one way to that of another, in pairs of segments; None if a segment moved nothing."""
    if min(*of["mb_s"], *to["mb_s"]) <= 0:
        return None
    found = stats.ratio_interval(to["mb_s"], of["mb_s"])
    return {name: found[name] for name in ("ratio", "low", "high", "pairs")}
