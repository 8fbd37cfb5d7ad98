"""Verdicts: pure functions from a result to rows of name, verdict, expected, actual.

`pass` and `fail` are said only where the measurement carries them; otherwise `inconclusive`: with too few
samples, where the interval holds the bound within itself, and instead of `fail` where other programs
took the machine (`benchmark.experiments.hostload`).
"""

from __future__ import annotations

from typing import Any

from benchmark.analysis import efficiency_verdicts, latency, serving_verdicts
from benchmark.analysis.disturbance import excused, together
from benchmark.core import stats
from benchmark.core.timing import compute_share
from benchmark.core.verdict import OUTCOMES, verdict

RATIO_BOUND = 0.97
# Share of the time that is not spent on waiting for data, which are in memory or yet to be read. Waiting for
# other ranks counts as if it were work: how much of the time is computing, `compute_share` says.
FED_WARM, FED_COLD = 0.95, 0.90
FED_LEAST_S = 2
RECOVERY_BOUND_S = 120  # beyond the time that what was lost stayed away


def judge(result: dict[str, Any]) -> list[dict[str, str]]:
    """All verdicts that the result has grounds for, quality first."""
    rows = []
    workloads = result.get("configuration", {}).get("workloads", {})
    runs = {name: [r for r in result["training"] if r["workload"] == name] for name in workloads}
    rows += [_quality(name, workload, runs[name]) for name, workload in workloads.items()]
    for name, workload in workloads.items():
        rows += _fed(name, workload, runs[name])
    serving = result.get("serving") or {}
    rows += [_served(row) for row in serving.get("models", [])]
    rows += _latency(serving.get("latency", []))
    rows += serving_verdicts.rows(serving)
    rows += _bare(result)
    rows += efficiency_verdicts.rows(result.get("efficiency"))
    rows += [_data(name, data) for name, data in result.get("data", {}).items()]
    rows += _recovery(result.get("recovery") or {})
    problems = result.get("event_problems")
    if problems is not None and result["training"]:
        rows.append(
            verdict(
                "event log",
                not problems,
                "complete and in order",
                "; ".join(problems[:3]) or "complete and in order",
            )
        )
    return rows


def _quality(name: str, workload: dict[str, Any], runs: list[dict[str, Any]]) -> dict[str, str]:
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


def _fed(name: str, workload: dict[str, Any], runs: list[dict[str, Any]]) -> list[dict[str, str]]:
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


def _served(row: dict[str, Any]) -> dict[str, str]:
    expected = f"same labels, probabilities within {row['tolerance']:g}, same hash"
    actual = (
        f"{row['agreement']:.2%} of {row['samples']} labels, difference ≤ {row['max_abs_difference']:.1e}, "
        f"{'same' if row['same_hash'] else 'another'} hash"
    )
    return verdict(f"{row['workload']} as served equals as trained", row["passed"], expected, actual)


def _latency(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One verdict a workload: at least its lowest rate must hold the bound without errors."""
    verdicts = []
    for name in dict.fromkeys(row["workload"] for row in rows):
        mine = sorted((r for r in rows if r["workload"] == name), key=lambda r: r["rate_rps"])
        lowest, bound = mine[0], mine[0]["p99_bound_ms"]
        outcome, reason = latency.judge(lowest, bound)
        shown = lowest
        if outcome:
            shown = [r for r in mine if latency.judge(r, bound)[0]][-1]
        p99 = "not known" if shown["p99_ms"] is None else f"{shown['p99_ms']:.1f} ms"
        actual = f"p99 {p99} at {shown['rate_rps']:g} requests/s, {shown['errors'] or 'no'} errors"
        if reason:
            actual += f"; {reason}"
        if lowest["errors"] <= lowest["samples"]:  # a service that refuses most requests is not just slow
            outcome, actual = excused(outcome, actual, lowest.get("host_load"))
        expected = f"p99 ≤ {bound:g} ms at {lowest['rate_rps']:g} requests/s, no errors"
        verdicts.append(verdict(f"latency of {name}", outcome, expected, actual))
    return verdicts


def _bare(result: dict[str, Any]) -> list[dict[str, str]]:
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


def _recovery(recovery: dict[str, Any]) -> list[dict[str, str]]:
    """One verdict a fault: on from the last checkpoint, soon enough, to the same quality."""
    rows = []
    for case in recovery.get("cases", []):
        tolerance, unit = recovery["tolerance"], recovery["metric"].replace("_", " ")
        bound = RECOVERY_BOUND_S + case["outage_s"]
        name = f"training survives the loss of {case['lost']}"
        expected = (
            f"on from the last checkpoint within {bound:g} s, {unit} within {tolerance:g} of undisturbed"
        )
        fault = next(iter(case["faults"]), None)
        if case["problem"] or fault is None or fault["recovery_s"] is None:
            reason = case["problem"] or (fault or {}).get("not_measured", {}).get("recovery_s", "no fault")
            rows.append(verdict(name, False, expected, reason.splitlines()[0]))
            continue
        actual = f"after {fault['recovery_s']:.1f} s, {fault['steps_redone']} steps redone"
        kept: bool | None = None
        if case["difference"] is None:
            actual += ", no undisturbed run to compare with"
        else:
            actual += f", difference {case['difference']:+.4f}"
            kept = abs(case["difference"]) <= tolerance
        outcome: bool | None = kept
        if kept is False or fault["resumed_from"] < fault["last_checkpoint"]:
            outcome = False
        elif fault["recovery_s"] > bound:  # late alone, of which a busy host may be the cause
            outcome, actual = excused(False, actual, case.get("host_load"))
        rows.append(verdict(name, outcome, expected, actual))
    return rows


def _data(name: str, data: dict[str, Any]) -> dict[str, str]:
    mismatch = data["provenance"].get("mismatch")
    if not mismatch:
        return verdict(f"data of {name}", True, "every shard has its hash", f"sha256 {data['sha256'][:12]}…")
    if not data["provenance"]["frozen"]:
        return verdict(
            f"data of {name}", None, "the frozen list of files", "not frozen: compares with no other result"
        )
    share = mismatch["bytes_fraction"]
    actual = f"sha256 {data['sha256'][:12]}…, {share:.2%} of the frozen bytes missing"
    return verdict(f"data of {name}", share == 0 or None, "the frozen list of files, complete", actual)
