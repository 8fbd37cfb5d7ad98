"""Verdicts: pure functions from a result to rows of name, verdict, expected, actual.

`pass` and `fail` are said only where the measurement carries them; otherwise `inconclusive`.
"""

from __future__ import annotations

from typing import Any

from benchmark import efficiency_verdicts, serving_verdicts, stats
from benchmark.verdict import verdict

RATIO_BOUND = 0.97
BUSY_WARM, BUSY_COLD = 0.95, 0.90  # compute time ÷ running time, data in memory or yet to be read
BUSY_LEAST_S = 2
RECOVERY_BOUND_S = 120  # beyond the time that what was lost stayed away


def judge(result: dict[str, Any]) -> list[dict[str, str]]:
    """All verdicts that the result has grounds for, quality first."""
    rows = []
    workloads = result.get("configuration", {}).get("workloads", {})
    runs = {name: [r for r in result["training"] if r["workload"] == name] for name in workloads}
    rows += [_quality(name, workload, runs[name]) for name, workload in workloads.items()]
    for name, workload in workloads.items():
        rows += _busy(name, workload, runs[name])
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
    if wanted >= 3:
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
    if len(values) < wanted:
        outcome = None if better else False
    elif better and p is not None and p >= stats.P_BOUND:
        outcome = None
    return verdict(f"quality of {name}", outcome, expected, actual)


def _busy(name: str, workload: dict[str, Any], runs: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Accelerator utilisation, mean of the seeds. It fails only if every seed does and took seconds."""
    measured = [
        (r["accelerator_utilisation"], r["accelerator_utilisation_cold"])
        for r in runs
        if r.get("accelerator_utilisation_cold") is not None
    ]
    if not measured:
        return []
    warm, cold = (sum(values) / len(measured) for values in zip(*measured, strict=True))
    outcome: bool | None = warm >= BUSY_WARM and cold >= BUSY_COLD
    seconds = workload["training"]["steps"] * sum(runs[0]["breakdown_s"].values())
    actual = f"{100 * warm:.1f} %, {100 * cold:.1f} % with reading the data"
    if seconds < BUSY_LEAST_S:
        outcome, actual = None, f"{actual}, in steps of {seconds:.1f} s together: too short to say"
    elif any(w >= BUSY_WARM and c >= BUSY_COLD for w, c in measured):
        outcome = outcome or None
    expected = (
        f"computing ≥ {100 * BUSY_WARM:.0f} % of the steps, ≥ {100 * BUSY_COLD:.0f} % with reading the data"
    )
    return [verdict(f"device kept busy by {name}", outcome, expected, actual)]


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
        bound = mine[0]["p99_bound_ms"]
        held = [r for r in mine if r["p99_ms"] is not None and r["p99_ms"] <= bound and not r["errors"]]
        expected = f"p99 ≤ {bound:g} ms at {mine[0]['rate_rps']:g} requests/s, no errors"
        if held:
            top = held[-1]
            actual = f"p99 {top['p99_ms']:.1f} ms at {top['rate_rps']:g} requests/s, no errors"
        else:
            p99 = mine[0]["p99_ms"]
            actual = f"p99 {'not known' if p99 is None else f'{p99:.1f} ms'}, {mine[0]['errors']} errors"
        outcome: bool | None = mine[0] in held
        if not outcome and mine[0]["p99_ms"] is None and not mine[0]["errors"]:
            outcome = None
        verdicts.append(verdict(f"latency of {name}", outcome, expected, actual))
    return verdicts


def _bare(result: dict[str, Any]) -> list[dict[str, str]]:
    """Throughput in the stack over throughput on the host, seed by seed."""
    rows = []
    for name, pairs in bare_pairs(result).items():
        gate = stats.gate([p[0] for p in pairs], [p[1] for p in pairs], RATIO_BOUND)
        ratio = gate["ratio"]
        expected = f"in-stack : bare throughput ≥ {RATIO_BOUND}"
        outcome: bool | None = ratio >= RATIO_BOUND or None
        actual = f"{ratio:.3f} over {len(pairs)} pair{'s' if len(pairs) > 1 else ''}"
        if len(pairs) >= stats.LEAST_PAIRS:
            outcome = {"pass": True, "fail": False}.get(gate["verdict"])
            actual += f", 95 % interval {gate['low']:.3f}–{gate['high']:.3f}"
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
        on_time = fault["recovery_s"] <= bound and fault["resumed_from"] >= fault["last_checkpoint"]
        if case["difference"] is None:
            actual += ", no undisturbed run to compare with"
            rows.append(verdict(name, None if on_time else False, expected, actual))
        else:
            actual += f", difference {case['difference']:+.4f}"
            rows.append(verdict(name, on_time and abs(case["difference"]) <= tolerance, expected, actual))
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
