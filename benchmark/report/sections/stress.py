"""The report's section on serving under stress: the highest rate, the load balancer's cost, faults."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.report.plots import VERDICT_STYLES, Chart, Level, Series, line_chart
from benchmark.report.text import count, milliseconds

Result = dict[str, Any]


def section(result: Result) -> dict[str, Any] | None:
    """Parts of `serving` that not every run has; None without any of them."""
    serving = result["serving"] or {}
    found = {
        "rates": [_rate(row) for row in serving.get("max_rate", [])],
        "direct": _direct(serving["direct"]) if serving.get("direct") else None,
        "scaled": _scaled(serving["autoscale"]) if serving.get("autoscale") else None,
        "faults": _faults(serving["resilience"]) if serving.get("resilience") else [],
        "lines": _lines(serving),
    }
    return found if found["rates"] or found["direct"] or found["scaled"] or found["faults"] else None


def _rate(row: dict[str, Any]) -> dict[str, Any]:
    """p99 against rate: every step that has one, in the colour of its verdict."""
    steps = sorted((s for s in row["steps"] if s["p99_ms"] is not None), key=lambda s: s["rate_rps"])
    series = [
        Series([(s["rate_rps"], s["p99_ms"]) for s in steps if _word(s) == word], label, style, marks=True)
        for word, label, style in (
            ("pass", "held", VERDICT_STYLES["pass"]),
            ("inconclusive", "open", VERDICT_STYLES["inconclusive"]),
            ("fail", "failed", VERDICT_STYLES["fail"]),
        )
    ]
    series = [s for s in series if s.points]
    bound = Level(row["p99_bound_ms"], f"bound {row['p99_bound_ms']:g} ms", "target")
    chart = Chart(f"{row['workload']}: p99 by rate", "requests/s", "p99, milliseconds", series,
                  levels=[bound], log_x=True, log_y=True)  # fmt: skip
    if row["rate_rps"] is None:
        text = f"{row['workload']}: {row['not_measured']['rate_rps']}."
    else:
        text = (
            f"{row['workload']}: {row['rate_rps']:g} requests/s with p99 {milliseconds(row['p99_ms'])}, "
            f"{len(row['steps'])} steps"
        )
        failed = row["next_failed_rps"]
        text += f"; {failed:g}/s did not hold." if failed else "; no rate failed within the steps."
        if not row["resolved"]:
            text += f" The gap is wider than the resolution of {row['resolution']:g}."
    if row["client_limited"]:
        text += " The client itself sent late: the service may do more."
    return {"svg": Markup(line_chart(chart)), "caption": text, "legend": [(s.label, s.style) for s in series]}


def _word(step: dict[str, Any]) -> str:
    """Older results know no open steps."""
    return str(step.get("verdict") or ("pass" if step["held"] else "fail"))


def _direct(row: dict[str, Any]) -> dict[str, Any]:
    series = [
        Series([(x, y) for x, y in row[f"{key}_ecdf"]], label, style, steps=True)
        for key, label, style in (("balanced", "load balancer", 1), ("direct", "direct", 2))
    ]
    low = min(p[0] for s in series for p in s.points)
    chart = Chart("Load balancer against direct", "milliseconds", "share answered", series,
                  log_x=True, x_range=(low / 1.2, max(p[0] for s in series for p in s.points)),
                  y_range=(0.0, 1.0), y_percent=True)  # fmt: skip
    caption = (
        f"{row['workload']}: median {row['balanced_p50_ms']:.2f} ms through the load balancer, "
        f"{row['direct_p50_ms']:.2f} ms straight to the nodes, {count(row['pairs'])} pairs in turn."
    )
    return {
        "svg": Markup(line_chart(chart)),
        "caption": caption,
        "legend": [(s.label, s.style) for s in series],
    }


def _scaled(row: dict[str, Any]) -> dict[str, Any]:
    limits = row["limits"]
    series = [Series([(t, n) for t, n in row["replicas"]], "replicas", 1, steps=True)]
    levels = [Level(limits["min_replicas"], "least"), Level(limits["max_replicas"], "most", "target")]
    chart = Chart("Replicas under load", "seconds", "replicas that run", series, levels,
                  y_range=(0.0, limits["max_replicas"] + 1.0))  # fmt: skip
    caption = (
        f"{row['clients']} requests to {row['workload']} under way all the time: "
        f"{row['failed']} of {count(row['answered'] + row['failed'])} failed."
    )
    return {"svg": Markup(line_chart(chart)), "caption": caption, "legend": []}


def _faults(row: dict[str, Any]) -> list[dict[str, Any]]:
    """A time line of each fault: median and worst latency of every half second, and what happened when."""
    found = []
    for key, title in (("kill", "One replica killed"), ("update", "Rolling update")):
        load = row.get(key)
        if not load:
            continue
        series = [
            Series([(t, worst) for t, _, worst in load["timeline"]], "worst", 5),
            Series([(t, median) for t, median, _ in load["timeline"]], "median", 1),
        ]
        marks = [Level(m["at_s"], m["name"]) for m in load["marks"]]
        if key == "update":
            marks += [Level(at, name, "target") for at, name in _turns(row, load)]
        chart = Chart(title, "seconds", "milliseconds", series, verticals=marks, log_y=True)
        failed = f"{load['errors']} of {count(load['samples'] + load['errors'])} requests failed"
        caption = f"{title} under {row['rate_rps']:g} requests/s to {row['workload']}: {failed}."
        found.append({"svg": Markup(line_chart(chart)), "caption": caption,
                      "legend": [(s.label, s.style) for s in series]})  # fmt: skip
    return found


def _turns(row: dict[str, Any], load: dict[str, Any]) -> list[tuple[float, str]]:
    """When the new model answered first, and the old one last."""
    turns = [(v["first_s"], "first new") for v in load["versions"] if v["sha256"] == row["to_sha256"]]
    return turns + [(v["last_s"], "last old") for v in load["versions"] if v["sha256"] == row["from_sha256"]]


def _lines(serving: dict[str, Any]) -> list[str]:
    """What a chart does not say: failures, requests that were sent again, what was not measured."""
    lines = []
    resilience = serving.get("resilience") or {}
    for key in ("kill", "update"):
        failures = (resilience.get(key) or {}).get("failures", [])
        lines += [f"{key}, {f['at_s']:.1f} s: {f['reason']}" for f in failures[:10]]
    lines += resilience.get("errors", [])
    for row in serving.get("latency", []):
        if row.get("resent"):
            where = f"{row['workload']} at {row['rate_rps']:g}/s"
            lines.append(f"{where}: {row['resent']} requests were sent again after their connection broke.")
    return lines
