"""The verdict on quality: the mean over the seeds against the target, and how sure that is."""

from __future__ import annotations

from typing import Any

from benchmark.core import stats
from benchmark.core.verdict import verdict


def row(name: str, workload: dict[str, Any], runs: list[dict[str, Any]]) -> dict[str, str]:
    target = workload["target"]
    higher = target["metric"] == "accuracy"
    sign, metric = ("≥" if higher else "≤"), target["metric"].replace("_", " ")
    wanted, values = len(workload["seeds"]), [r["quality"]["value"] for r in runs]
    expected = f"mean {metric} {sign} {target['value']:g} over {wanted} seed{'s' if wanted > 1 else ''}"
    if wanted >= stats.LEAST_VALUES:
        expected += f", p < {stats.P_BOUND}"
    if not values:
        return verdict(f"quality of {name}", False, expected, "no run finished")
    mean = sum(values) / len(values)
    p = stats.beats_target_p(values, target["value"], higher)
    better = mean >= target["value"] if higher else mean <= target["value"]
    actual = f"{mean:.4f} over {len(values)} seed{'s' if len(values) > 1 else ''}" + (
        "" if p is None else f", p = {p:.2g}"
    )
    outcome: bool | None = better
    if p is None:
        actual += f", too few to know their spread: {stats.LEAST_VALUES} are needed"
    if better and (len(values) < wanted or p is None or p >= stats.P_BOUND):
        outcome = None
    return verdict(f"quality of {name}", outcome, expected, actual)
