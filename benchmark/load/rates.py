"""The highest request rate that still meets the declared p99 bound: a bounded search.

From the highest declared rate that held, the rate doubles until one fails; then the gap between the
highest that held and the lowest that failed is halved, geometrically, until it is within the resolution
or the steps are spent. Every step has enough answers for a 99th percentile.

A rate holds if few enough of its answers are late (`benchmark.analysis.latency`): a service that just misses
the bound passes in at most 2.5 % of the steps. An inconclusive rate counts as not held, so the highest
rate that held is a lower bound of what the service can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmark.analysis import latency
from benchmark.analysis.disturbance import excused
from benchmark.core.verdict import word

STEPS = 8
# The last gap: the rate that held and the one that failed differ by at most this factor.
RESOLUTION = 1.15
# A Poisson count of this mean is below 662 once in ten million.
SAMPLES = 800
# A queue that grows needs time to show.
LEAST_S = 8.0
# Beyond this share of requests sent late, the client is the limit and not the service.
LATE_SHARE = 0.01
LOWEST = 0.5
Step = dict[str, Any]


def seconds_of(rate: float) -> float:
    """Seconds that a step must last to collect its samples."""
    return max(SAMPLES / rate, LEAST_S)


def judged(row: Mapping[str, Any], bound_ms: float) -> Step:
    """A step of the search from a load's summary: held or not, and why not."""
    sent = row["samples"] + row["errors"]
    outcome, reason = latency.judge(row, bound_ms)
    late = row["sent_late"] / sent if sent else 0.0
    outcome, reason = excused(outcome, reason, row.get("host_load"))
    return {
        **{k: row[k] for k in ("rate_rps", "samples", "errors", "resent", "p50_ms", "p99_ms")},
        "over_bound": row.get("over_bound"),
        "sent_late_share": round(late, 4),
        "host_load": row.get("host_load"),
        "held": outcome is True,
        "verdict": word(outcome),
        "reason": reason or None,
    }


def next_rate(steps: Sequence[Step], start: float, resolution: float = RESOLUTION) -> float | None:
    """The rate to try after these steps; None when the gap is closed."""
    held = [float(s["rate_rps"]) for s in steps if s["held"]]
    failed = [float(s["rate_rps"]) for s in steps if not s["held"]]
    if not steps:
        return start
    if not failed:
        return 2 * max(held)
    if not held:
        lower = min(failed) / 2
        return lower if lower >= LOWEST else None
    low, high = max(held), min(failed)
    # A noisy machine may fail low and hold high: what failed at or below a rate that held is not the limit.
    if high <= low:
        above = [f for f in failed if f > low]
        if not above:
            return 2 * low
        high = min(above)
    return None if high / low <= resolution else round(math.sqrt(low * high), 1)


def search(
    measure: Callable[[float], Mapping[str, Any]],
    *,
    workload: str,
    bound_ms: float,
    start: float,
    steps: int = STEPS,
    resolution: float = RESOLUTION,
) -> dict[str, Any]:
    """Measure until `resolution` is reached or `steps` are spent; a row of `serving.max_rate`."""
    taken: list[Step] = []
    while len(taken) < steps and (rate := next_rate(taken, start, resolution)) is not None:
        taken.append(judged(measure(rate), bound_ms))
    held = [s for s in taken if s["held"]]
    best = max(held, key=lambda s: s["rate_rps"]) if held else None
    above = [s["rate_rps"] for s in taken if not s["held"] and (not best or s["rate_rps"] > best["rate_rps"])]
    return {
        "workload": workload,
        "rate_rps": best["rate_rps"] if best else None,
        "p99_ms": best["p99_ms"] if best else None,
        "p99_bound_ms": bound_ms,
        "next_failed_rps": min(above) if above else None,
        "resolution": resolution,
        "resolved": bool(best and above and min(above) / best["rate_rps"] <= resolution),
        # A client that sends late measures itself: the service may handle more than it can send.
        "client_limited": any(s["sent_late_share"] > LATE_SHARE for s in taken if not s["held"]),
        "steps": taken,
        "not_measured": {} if best else {"rate_rps": f"no rate held p99 ≤ {bound_ms:g} ms"},
    }


def first_rate(rows: Sequence[Mapping[str, Any]], declared: Sequence[float], bound_ms: float) -> float:
    """The first rate of the search: the highest declared one that held, else the lowest."""
    held = [r["rate_rps"] for r in rows if judged(r, bound_ms)["held"]]
    return float(max(held, default=min(declared)))
