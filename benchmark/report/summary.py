"""The result table: each workload over all its seeds, means with 95 % intervals."""

from __future__ import annotations

import math
from typing import Any

from benchmark.core import stats
from benchmark.report import text

Result = dict[str, Any]
COLUMNS = {
    "workload": "Workload",
    "seeds": "Seeds",
    "quality": "Quality over seeds",
    "heldout": "Same test set for all",
    "target": "Target",
    "time": "Time to target",
    "throughput": "Throughput",
}


def rows(result: Result) -> list[dict[str, str]]:
    """A row of texts by the keys of COLUMNS for each workload that was trained."""
    found = []
    for name, workload in result["configuration"]["workloads"].items():
        runs = [r for r in result["training"] if r["workload"] == name]
        if not runs:
            continue
        target = workload["target"]
        metric, accuracy = target["metric"], target["metric"] == "accuracy"
        times = [r["time_to_train_s"] for r in runs if r["time_to_train_s"] is not None]
        rates = [r["throughput"] for r in runs if r["throughput"]]
        reached = f" ({len(times)} of {len(runs)} seeds)" if len(times) < len(runs) else ""
        again = sum(bool(r.get("earlier_attempts_s")) for r in runs)
        reached += f", {again} restarted" if again else ""
        found.append(
            {
                "workload": name,
                "seeds": str(len(runs)),
                "quality": _with_interval([r["quality"]["value"] for r in runs], metric),
                "heldout": _test_set(
                    result["data"].get(name),
                    [r["quality"]["value"] for r in runs],
                    metric,
                    workload["training"].get("heldout_bytes"),
                ),
                "target": f"≥ {100 * target['value']:g} %" if accuracy else f"≤ {target['value']:g}",
                "time": f"{_range(times)} s{reached}" if times else "not reached",
                "throughput": f"{_spread([r['value'] for r in rates], 0)} {rates[0]['unit']}"
                if rates
                else "–",
            }
        )
    return found


def markdown(result: Result) -> list[str]:
    """The table as lines of Markdown; none without a row."""
    found = rows(result)
    if not found:
        return []
    lines = [[row[key] for key in COLUMNS] for row in found]
    return [f"| {' | '.join(cells)} |" for cells in (list(COLUMNS.values()), ["---"] * len(COLUMNS), *lines)]


def _with_interval(values: list[float], metric: str) -> str:
    scale, digits, unit = (100, 2, " %") if metric == "accuracy" else (1, 4, " bits/byte")
    return f"{_spread([scale * v for v in values], digits)}{unit}"


def _test_set(data: dict[str, Any] | None, values: list[float], metric: str, most: int | None = None) -> str:
    """Size of the held-out data, the same for all seeds; of an accuracy how much another set might differ."""
    if not data:
        return "–"
    rows, mean = min(data["splits"]["heldout"]["rows"], most or math.inf), sum(values) / len(values)
    if metric != "accuracy":
        return text.count(rows)
    reach = 1.96 * math.sqrt(max(mean * (1 - mean), 0.0) / rows)
    return f"{text.count(rows)} (± {100 * reach:.2f} %)"


def _range(seconds: list[float]) -> str:
    """The ends are the fastest and slowest: a first seed that waits for a cold machine is no error."""
    mean = f"{stats.olympic_mean(seconds):.1f}"
    return mean if len(seconds) < 3 else f"{mean} ({min(seconds):.1f}–{max(seconds):.1f})"


def _spread(values: list[float], digits: int) -> str:
    """Mean and interval; the mean alone where there are too few values for one."""
    mean, low, high = stats.mean_interval(values)

    def show(value: float) -> str:
        return f"{value:.{digits}f}" if digits else text.count(value)

    return show(mean) if low is None or high is None else f"{show(mean)} ({show(low)}–{show(high)})"
