"""The section on training steps: where their time goes, and how far it spreads."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.core.timing import PHASES, compute_share
from benchmark.report import text
from benchmark.report.plots import Chart, Series, line_chart, stacked_bars

STYLES = {"data": 6, "forward": 1, "backward": 5, "all_reduce": 3, "optimiser": 2, "checkpoint": 4}
Result = dict[str, Any]
# A shared CPU shows that the ranks work together, not how they scale.
FUNCTIONAL_ONLY = "Functional only: ranks that share the CPUs of one machine measure no scaling."


def section(result: Result) -> dict[str, Any] | None:
    """The breakdown bars, the spread of step times, and the table below them."""
    firsts: dict[str, dict[str, Any]] = {}
    for run in [*result["training"], *result["bare"]]:
        if run["breakdown_s"]:
            firsts.setdefault(run["workload"], run)
    if not firsts:
        return None
    bars = {n: {k: r["breakdown_s"][k] for k in PHASES if k in r["breakdown_s"]} for n, r in firsts.items()}
    rows = [
        {
            "workload": name,
            "seed": str(r["seed"]),
            "throughput": f"{text.count(r['throughput']['value'])} {r['throughput']['unit']}",
            "median": text.milliseconds(r["step_time_s"]["median"] * 1e3),
            "p95": text.milliseconds(r["step_time_s"]["p95"] * 1e3),
            "computing": text.or_dash(compute_share(r), lambda v: f"{100 * v:.1f} %"),
            "utilisation": f"{100 * r['accelerator_utilisation']:.1f} %",
            "cold": text.or_dash(r.get("accelerator_utilisation_cold"), lambda v: f"{100 * v:.1f} %"),
            "peak": f"{100 * r['gemm_peak_fraction']:.1f} %",
        }
        for name, r in firsts.items()
    ]
    spread = []
    for i, (name, r) in enumerate(firsts.items()):
        times, median = sorted(r["step_times_s"]), r["step_time_s"]["median"]
        points = [(min(t / median, 3.0), (k + 1) / len(times)) for k, t in enumerate(times)]
        spread.append(Series(points[:: max(1, len(points) // 150)], name, style=1 + i % 5))
    chart = Chart("Spread of step times", "step time / median", "share of steps", spread,
                  x_range=(0.0, 3.0), y_range=(0.0, 1.0), y_percent=True)  # fmt: skip
    alone = [name for name, r in firsts.items() if r["world_size"] == 1]
    notes = [f"One rank exchanges nothing, so it has no all-reduce: {', '.join(alone)}."] if alone else []
    cpu = any(r["device"] == "cpu" for r in firsts.values())
    return {
        "svg": Markup(stacked_bars("Step time by phase", bars, STYLES)),
        "legend": [(k.replace("all_reduce", "all-reduce"), STYLES[k]) for k in PHASES],
        "histogram": Markup(line_chart(chart)),
        "histogram_legend": [(s.label, s.style) for s in spread],
        "rows": rows,
        "notes": notes + ([FUNCTIONAL_ONLY] if cpu else []),
    }
