"""Verdicts on serving: the same answers as trained, latency, faults under load, the load balancer's cost."""

from __future__ import annotations

from typing import Any

from benchmark.analysis import latency
from benchmark.analysis.disturbance import excused
from benchmark.core.verdict import verdict

Row = dict[str, str]
# No failure among this many shows, at 95 %, that fewer than 1 % fail.
LEAST_ANSWERS = 300
# Below this number of pairs, intervals of a difference of medians are too narrow.
LEAST_MEDIAN_PAIRS = 50


def same_answers(row: dict[str, Any]) -> Row:
    expected = f"same labels, probabilities within {row['tolerance']:g}, same hash"
    actual = (
        f"{row['agreement']:.2%} of {row['samples']} labels, difference ≤ {row['max_abs_difference']:.1e}, "
        f"{'same' if row['same_hash'] else 'another'} hash"
    )
    return verdict(f"{row['workload']} as served equals as trained", row["passed"], expected, actual)


def latency_rows(loads: list[dict[str, Any]]) -> list[Row]:
    """One verdict per workload: at least its lowest rate must hold the bound without errors."""
    verdicts = []
    for name in dict.fromkeys(row["workload"] for row in loads):
        mine = sorted((r for r in loads if r["workload"] == name), key=lambda r: r["rate_rps"])
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


def written(rows_: list[dict[str, Any]]) -> list[Row]:
    """One verdict per language model: every text came whole, with the bytes that are written here.

    Other bytes alone are no failure: two almost equally likely ones may change places on another processor.
    """
    verdicts = []
    for name in dict.fromkeys(row["workload"] for row in rows_):
        mine = [row for row in rows_ if row["workload"] == name]
        failed, texts = sum(row["errors"] for row in mine), sum(row["texts"] for row in mine)
        compared = [row["same_text"] for row in mine if row["same_text"] is not None]
        first = mine[0]["time_to_first_token_ms"]["p50"]
        per = mine[0]["time_per_output_token_ms"]["p50"]
        actual = f"{texts} of {texts + failed} whole, {'the same' if all(compared) else 'other'} bytes"
        if not compared:
            actual = f"{texts} of {texts + failed} whole, none compared"
        if first is not None and per is not None:
            actual += f"; first token after {first:.0f} ms, then {per:.1f} ms each, one client"
        outcome = False if failed else True if compared and all(compared) else None
        expected = "all whole, the same bytes as computed here"
        verdicts.append(verdict(f"text of {name} as it is written", outcome, expected, actual))
    return verdicts


def rows(serving: dict[str, Any]) -> list[Row]:
    """What `serving.resilience` and `serving.direct` have grounds for."""
    found: list[Row] = []
    resilience = serving.get("resilience")
    if resilience:
        found += [_killed(resilience), _updated(resilience)]
    if serving.get("autoscale"):
        found.append(_scaled(serving["autoscale"]))
    if serving.get("direct"):
        found.append(_direct(serving["direct"]))
    return found


def _killed(resilience: dict[str, Any]) -> Row:
    name = "one replica killed under load"
    expected = f"0 failed requests at {resilience['rate_rps']:g} requests/s, nothing sent twice by the client"
    kill = resilience.get("kill")
    if not kill:
        return verdict(name, None, expected, _why(resilience, "kill"))
    actual = f"{_counts(kill)}, replaced after {kill['replaced_s']:g} s"
    outcome, actual = _judged(kill, True, actual)
    return verdict(name, outcome, expected, actual)


def _updated(resilience: dict[str, Any]) -> Row:
    name = "rolling update under load"
    expected = f"0 failed requests at {resilience['rate_rps']:g} requests/s, only the new model afterwards"
    update = resilience.get("update")
    if not update:
        return verdict(name, None, expected, _why(resilience, "update"))
    new = [v for v in update["versions"] if v["sha256"] == resilience["to_sha256"]]
    unknown = {v["sha256"] for v in update["versions"]} - {
        resilience["from_sha256"],
        resilience["to_sha256"],
    }
    last_old = max((v["last_s"] for v in update["versions"] if v not in new), default=0.0)
    # The end of the load must belong to the new model alone.
    changed = bool(new) and not unknown and new[0]["last_s"] > last_old
    actual = f"{_counts(update)}, " + (
        f"first new answer at {new[0]['first_s']:.1f} s, last old one at {last_old:.1f} s"
        if new
        else "the new model never answered"
    )
    outcome, actual = _judged(update, changed, actual)
    return verdict(name, outcome, expected, actual)


def _scaled(scaled: dict[str, Any]) -> Row:
    """Up to the most that is allowed, neither fewer nor more at any time, and no request lost on the way."""
    least, most = scaled["limits"]["min_replicas"], scaled["limits"]["max_replicas"]
    within = least <= scaled["fewest"] and scaled["most"] <= most
    rose = scaled["most"] == most
    actual = f"{scaled['fewest']} to {scaled['most']} replicas"
    if scaled["first_more_s"] is not None:
        actual += (
            f", the first more after {scaled['first_more_s']:.0f} s, the most after {scaled['most_s']:.0f} s"
        )
    failed, all_ = scaled["failed"], scaled["answered"] + scaled["failed"]
    expected = f"from {least} to {most} with {scaled['clients']} requests under way, 0 failed"
    actual += f"; {failed} of {all_} failed"
    good: bool | None = within and rose and not failed
    if good and all_ < LEAST_ANSWERS:
        good, actual = None, f"{actual}; a verdict needs {LEAST_ANSWERS} answers"
    outcome, actual = excused(good, actual, scaled.get("host_load"))
    return verdict("replicas follow the load", outcome, expected, actual)


def _judged(load: dict[str, Any], otherwise_good: bool, actual: str) -> tuple[bool | None, str]:
    """Outcome and text of a load that nothing may fail under; a few answers are no evidence."""
    good: bool | None = load["samples"] > 0 and not load["errors"] and not load["resent"] and otherwise_good
    if good and load["samples"] < LEAST_ANSWERS:
        good, actual = None, f"{actual}; a verdict needs {LEAST_ANSWERS} answers"
    return excused(good, actual, load.get("host_load"))


def _counts(load: dict[str, Any]) -> str:
    return f"{load['errors']} of {load['samples'] + load['errors']} failed"


def _why(resilience: dict[str, Any], key: str) -> str:
    reasons = [e for e in resilience["errors"] if e.startswith(f"{key}: ")]
    return f"not measured: {reasons[0].removeprefix(f'{key}: ')}" if reasons else "not measured"


def _direct(direct: dict[str, Any]) -> Row:
    """Judged by the whole interval: one that contains the bound is inconclusive."""
    bound = direct["bound_ms"]
    outcome = True if direct["high_ms"] <= bound else False if direct["low_ms"] > bound else None
    actual = f"{direct['added_p50_ms']:.2f} ms over {direct['pairs']} pairs, "
    actual += f"95 % interval {direct['low_ms']:.2f}–{direct['high_ms']:.2f}"
    if direct["pairs"] < LEAST_MEDIAN_PAIRS:
        outcome, actual = None, f"{actual}; a verdict needs {LEAST_MEDIAN_PAIRS}"
    outcome, actual = excused(outcome, actual, direct.get("host_load"))
    return verdict("cost of the load balancer", outcome, f"added p50 ≤ {bound:g} ms", actual)
