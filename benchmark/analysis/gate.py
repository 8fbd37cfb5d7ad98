"""The gate: a candidate's result against an earlier one. Pure functions on two result documents.

Quality is a hard gate. Performance is judged on paired log-ratios (`stats.gate`): a pair is the
same workload and seed, for latency the same workload and rate, in both results. A row fails only
where the measurement carries it; too few or too noisy pairs are `inconclusive`, never `fail`.

Two results of different days were not measured in turns: a machine that is slower today than it was
then looks like a slower candidate. `benchmark.experiments.abba` measures two commits in turns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.analysis.comparable import differences
from benchmark.analysis.disturbance import busy, together
from benchmark.core import stats
from benchmark.core.errors import ComparisonError
from benchmark.core.verdict import text_of

Result = dict[str, Any]
Key = tuple[str, Any]
BOUND = 0.95
# How the names of `benchmark.analysis.verdicts` on speed begin.
SPEED_CHECKS = ("latency of ", "cost of the stack, ", "not waiting for data: ")
BITS_MARGIN = 0.01  # of the baseline's bits per byte


def compare(baseline: Result, candidate: Result) -> dict[str, Any]:
    """Rows of name, metric, verdict, expected, actual (and numbers to draw), and the overall verdict.

    Raises ComparisonError with every reason when the two must not be compared.
    """
    problems = differences(baseline, candidate)
    if problems:
        raise ComparisonError(problems)
    names = list(candidate["configuration"]["workloads"])
    rows = [_quality(name, baseline, candidate) for name in names]
    rows += _checks(baseline, candidate)
    for metric, ratio, measure in MEASURES:
        found = _ratios(metric, ratio, measure(baseline), measure(candidate), names)
        rows += [_excused(row, baseline, candidate) for row in found]
    words = {row["verdict"] for row in rows}
    verdict = "fail" if "fail" in words else "inconclusive" if "inconclusive" in words or not rows else "pass"
    return {
        "verdict": verdict,
        "rows": rows,
        "baseline": _identity(baseline),
        "candidate": _identity(candidate),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The comparison as lines of text, the overall verdict last."""
    return [
        *map(text_of, found["rows"]),
        f"{found['verdict']:>12}  gate against run {found['baseline']['run_id']}",
    ]


def _identity(result: Result) -> dict[str, Any]:
    """What names a result in words: enough to find it again."""
    environment = result["environment"]
    of_tree = ("git_commit", "git_dirty", "source_sha256")
    return {
        **{k: result.get(k) for k in ("stack", "tier", "run_id", "started")},
        **{k: environment.get(k) for k in of_tree},
        "torch": environment.get("host", {}).get("torch"),
    }


def _row(name: str, metric: str, verdict: str, expected: str, actual: str, **numbers: Any) -> dict[str, Any]:
    return {
        "name": name,
        "metric": metric,
        "verdict": verdict,
        "expected": expected,
        "actual": actual,
        **numbers,
    }


def _quality(name: str, baseline: Result, candidate: Result) -> dict[str, Any]:
    """Not worse by more than a margin, seed by seed, at p < 0.01; and never below a target once met.

    The margin of an accuracy is its standard error on the held-out samples, of bits per byte
    1 %: tenths of a point on 360 digits mean nothing.
    """
    before, now = (_quality_by_seed(r, name) for r in (baseline, candidate))
    shared = [k for k in before if k in now]
    target = candidate["configuration"]["workloads"][name]["target"]
    higher, metric = target["metric"] == "accuracy", target["metric"].replace("_", " ")
    label = f"quality of {name}"
    few = len(shared) < stats.LEAST_VALUES
    if not shared or not all(math.isfinite(v[k]) for v in (before, now) for k in shared):
        return _row(
            label, "quality", "fail", f"{metric} of the same seeds", "no run, or no number, to compare"
        )
    then, mean = (sum(v[k] for k in shared) / len(shared) for v in (before, now))
    margin = then * BITS_MARGIN
    if higher:
        rows = candidate["data"][name]["splits"]["heldout"]["rows"]
        margin = math.sqrt(max(then * (1 - then), 1 / rows) / rows)
    gains = [round((now[k] - before[k]) * (1 if higher else -1), 9) for k in shared]
    worse = stats.beats_target_p(gains, -margin, False)
    kept = stats.beats_target_p(gains, -margin, True)
    missed = (mean < target["value"] <= then) if higher else (mean > target["value"] >= then)
    if few and missed:  # the spread is not known, so only a plain loss is one
        missed = sum(gains) / len(gains) < -margin
    if missed or (worse is not None and worse < stats.P_BOUND):
        verdict = "fail"
    else:
        verdict = "pass" if kept is not None and kept < stats.P_BOUND else "inconclusive"
    actual = f"{then:.4f} → {mean:.4f} over {_pairs(len(shared))}"
    if missed:
        actual += f", {'below' if higher else 'above'} the target"
    return _row(label, "quality", verdict, f"{metric} not worse by more than {margin:.2g}", actual)


def _quality_by_seed(result: Result, name: str) -> dict[int, float]:
    return {r["seed"]: r["quality"]["value"] for r in result["training"] if r["workload"] == name}


def _checks(baseline: Result, candidate: Result) -> list[dict[str, Any]]:
    """The results' own verdicts: what fails now and did not fail before.

    A check of speed is a single measurement without pairs, so its change leaves the row open: the
    rows of paired ratios decide.
    """
    failed = {v["name"] for v in baseline["verdicts"] if v["verdict"] == "fail"}
    new = [v["name"] for v in candidate["verdicts"] if v["verdict"] == "fail" and v["name"] not in failed]
    hard = [name for name in new if not name.startswith(SPEED_CHECKS)]
    verdict = "fail" if hard else "inconclusive" if new else "pass"
    return [_row("new failed checks", "checks", verdict, "none", ", ".join(new) or "none")]


def _throughput(result: Result) -> dict[Key, float]:
    rows = (r for r in result["training"] if r["throughput"])
    return {(r["workload"], r["seed"]): r["throughput"]["value"] for r in rows}


def _speed_to_target(result: Result) -> dict[Key, float]:
    """Without seeds that were restarted: what a fault has cost says nothing of the code."""
    rows = (r for r in result["training"] if r["time_to_train_s"] and not r.get("earlier_attempts_s"))
    return {(r["workload"], r["seed"]): 1 / r["time_to_train_s"] for r in rows}


def _promptness(result: Result) -> dict[Key, float]:
    rows = (r for r in (result.get("serving") or {}).get("latency", []) if r["p99_ms"])
    return {(r["workload"], r["rate_rps"]): 1 / r["p99_ms"] for r in rows}


def _loads(result: Result, metric: str, name: str) -> list[dict[str, Any] | None]:
    """The load of the host during what is compared; of all workloads for `all workloads`."""
    rows = result["training"] if metric != "latency" else (result.get("serving") or {}).get("latency", [])
    return [row.get("host_load") for row in rows if name in (row["workload"], "all workloads")]


Measure = Callable[[Result], dict[Key, float]]
# Each as a speed: more is better, so one bound serves all. The second word is what people read.
MEASURES: Sequence[tuple[str, str, Measure]] = (
    ("throughput", "throughput, candidate : baseline", _throughput),
    ("time to train", "time, baseline : candidate", _speed_to_target),
    ("latency", "p99, baseline : candidate", _promptness),
)


def _ratios(
    metric: str, ratio: str, before: dict[Key, float], now: dict[Key, float], names: list[str]
) -> list[dict[str, Any]]:
    """One row per workload, then all workloads together: more pairs see a slowdown that all share."""
    shared = [k for k in before if k in now and _usable(before[k]) and _usable(now[k])]
    rows = []
    groups = [(name, [k for k in shared if k[0] == name]) for name in names]
    if len([keys for _, keys in groups if keys]) > 1:
        groups.append(("all workloads", shared))
    for name, keys in groups:
        lost = sum(1 for k in before if k not in shared and name in (k[0], "all workloads"))
        if not keys and not lost:
            continue
        rows.append(_ratio(f"{metric} of {name}", metric, ratio, [(before[k], now[k]) for k in keys], lost))
    return rows


def _ratio(name: str, metric: str, ratio: str, pairs: list[tuple[float, float]], lost: int) -> dict[str, Any]:
    """With pairs missing in the candidate a row cannot pass; it is inconclusive instead."""
    expected = f"{ratio} ≥ {BOUND}"
    gap = f"; {lost} measured only in the baseline, or disturbed" if lost else ""
    if not pairs:
        return _row(name, metric, "inconclusive", expected, f"no pairs{gap}", pairs=0)
    gate = stats.gate([p[0] for p in pairs], [p[1] for p in pairs], BOUND)
    verdict = "inconclusive" if lost and gate["verdict"] == "pass" else gate["verdict"]
    actual = f"{gate['ratio']:.3f} over {_pairs(len(pairs))}" + (
        "" if gate["low"] is None else f", 95 % interval {gate['low']:.3f}–{gate['high']:.3f}"
    )
    numbers = {k: gate[k] for k in ("ratio", "low", "high", "p", "pairs")}
    return _row(name, metric, verdict, expected, actual + gap, **numbers)


def _excused(row: dict[str, Any], *results: Result) -> dict[str, Any]:
    """A failure becomes inconclusive where other programs took the machine, on either side."""
    name = row["name"].split(" of ", 1)[1]
    reasons = {busy(together(_loads(result, row["metric"], name))) for result in results} - {""}
    if row["verdict"] != "fail" or not reasons:
        return row
    return {**row, "verdict": "inconclusive", "actual": "; ".join([row["actual"], *sorted(reasons)])}


def _usable(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _pairs(count: int) -> str:
    return f"{count} pair{'' if count == 1 else 's'}"
