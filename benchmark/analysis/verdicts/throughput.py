"""Verdicts on the speed of training: does it wait for data, and what does the stack cost?"""

from __future__ import annotations

from typing import Any

from benchmark.analysis.disturbance import excused, together
from benchmark.core import stats
from benchmark.core.timing import compute_share
from benchmark.core.verdict import OUTCOMES, verdict

RATIO_BOUND = 0.97
# Share of the time that is not spent on waiting for data, which are in memory or yet to be read. Waiting for
# other ranks counts as work here: `compute_share` says how much of the time is computing.
FED_WARM, FED_COLD = 0.95, 0.90
FED_LEAST_S = 2


def waiting(name: str, workload: dict[str, Any], runs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Share of the time not spent on data, mean of the seeds. It fails only if every seed does."""
    measured = [
        (r["accelerator_utilisation"], r["accelerator_utilisation_cold"])
        for r in runs
        if r.get("accelerator_utilisation_cold") is not None
    ]
    if not measured:
        return []
    warm, cold = (sum(values) / len(measured) for values in zip(*measured, strict=True))
    outcome: bool | None = warm >= FED_WARM and cold >= FED_COLD
    seconds = workload["training"]["steps"] * sum(runs[0]["breakdown_s"].values())
    actual = f"{100 * warm:.1f} %, {100 * cold:.1f} % with reading the data"
    shares = [share for r in runs if (share := compute_share(r)) is not None]
    if shares:
        actual += f"; computing {100 * sum(shares) / len(shares):.1f} %"
    if seconds < FED_LEAST_S:
        outcome, actual = None, f"{actual}, in steps of {seconds:.1f} s together: too short to say"
    elif any(w >= FED_WARM and c >= FED_COLD for w, c in measured):
        outcome = outcome or None
    outcome, actual = excused(outcome, actual, *(r.get("host_load") for r in runs))
    expected = f"not waiting for data ≥ {100 * FED_WARM:.0f} % of the steps, "
    expected += f"≥ {100 * FED_COLD:.0f} % with reading the data"
    return [verdict(f"not waiting for data: {name}", outcome, expected, actual)]


def cost_of_the_stack(result: dict[str, Any]) -> list[dict[str, str]]:
    """Throughput in the stack over throughput on the host, seed by seed."""
    rows = []
    load = together(r.get("host_load") for r in [*result["training"], *result.get("bare", [])])
    for name, pairs in bare_pairs(result).items():
        gate = stats.gate([p[0] for p in pairs], [p[1] for p in pairs], RATIO_BOUND)
        expected = f"in-stack : bare throughput ≥ {RATIO_BOUND}"
        actual = f"{gate['ratio']:.3f} over {len(pairs)} pair{'s' if len(pairs) > 1 else ''}"
        if gate["low"] is not None:
            actual += f", 95 % interval {gate['low']:.3f}–{gate['high']:.3f}"
        if len(pairs) < stats.LEAST_PAIRS:
            actual += f"; a verdict needs {stats.LEAST_PAIRS}"
        outcome, actual = excused(OUTCOMES[gate["verdict"]], actual, load)
        rows.append(verdict(f"cost of the stack, {name}", outcome, expected, actual))
    return rows


def bare_pairs(result: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Workload -> [(bare, in stack) throughput] of the seeds that ran in both with as many ranks."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for outside in result.get("bare", []):
        for inside in result["training"]:
            same = all(inside[k] == outside[k] for k in ("workload", "seed", "world_size", "device"))
            if same and inside["throughput"] and outside["throughput"]:
                pairs.setdefault(inside["workload"], []).append(
                    (outside["throughput"]["value"], inside["throughput"]["value"])
                )
    return pairs
