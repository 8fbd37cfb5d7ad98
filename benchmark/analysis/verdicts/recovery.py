"""Verdicts on recovery: does training survive the loss of a part of the stack?"""

from __future__ import annotations

from typing import Any

from benchmark.analysis.disturbance import excused
from benchmark.core.verdict import verdict

RECOVERY_BOUND_S = 120  # beyond the time for which the lost part stayed away


def rows(recovery: dict[str, Any]) -> list[dict[str, str]]:
    """One verdict per fault: on from the last checkpoint, soon enough, to the same quality."""
    found = []
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
            found.append(verdict(name, False, expected, reason.splitlines()[0]))
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
        found.append(verdict(name, outcome, expected, actual))
    return found
