"""The report's figures: from records of the result to charts and table rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from benchmark.analysis.disturbance import busy
from benchmark.core.timing import PHASES, compute_share
from benchmark.report.plots import Chart, Level, Series, line_chart, stacked_bars

STYLES = {"data": 6, "forward": 1, "backward": 5, "all_reduce": 3, "optimiser": 2, "checkpoint": 4}
Result = dict[str, Any]
# A shared CPU shows that the ranks work together, not how they scale.
FUNCTIONAL_ONLY = "Functional only: ranks that share the CPUs of one machine measure no scaling."


def learning(
    name: str, workload: dict[str, Any], runs: list[dict[str, Any]], baselines: list[dict[str, Any]]
) -> dict[str, Any]:
    """Two charts of quality, and the baselines that are too far off to draw."""
    target, metric = workload["target"]["value"], workload["target"]["metric"]
    accuracy = metric == "accuracy"
    values = [p["value"] for r in runs for p in r["curve"]]
    low, high = min([*values, target]), max([*values, target])
    # A first evaluation far below the rest would flatten everything that matters, as would a baseline that is
    # far worse. One that is better than the model is what matters.
    margin = max(high - low, 1e-3) * 0.6
    best = max(values, default=target) if accuracy else min(values, default=target)

    def shown(value: float) -> bool:
        better = value > best if accuracy else value < best
        return bool(better or low - margin <= value <= high + margin)

    near = [b for b in baselines if shown(b["value"])]
    far = [b for b in baselines if b not in near]
    label = f"target {100 * target:g} %" if accuracy else f"target {target:g}"
    levels = [Level(target, label, "target")] + [
        Level(b["value"], f"{b['name']} {quality(b['value'], metric)}") for b in near
    ]
    axis = "accuracy" if accuracy else "bits per byte"
    charts = {}
    seen = f"{'bytes' if workload['model']['kind'] == 'gpt' else 'samples'} seen"
    for key, field, x_label in (
        ("by_samples", "samples", seen),
        ("by_seconds", "seconds", "seconds on the clock"),
    ):
        series = [
            Series([(p[field], p["value"]) for p in r["curve"]], f"seed {r['seed']}", style=1 + i % 5)
            for i, r in enumerate(runs)
        ]
        chart = Chart(f"{name}: {axis} by {x_label}", x_label, axis, series, levels, y_percent=accuracy)
        charts[key] = Markup(line_chart(chart))
    off = ", ".join(f"{b['name']} {quality(b['value'], metric)}" for b in far)
    legend = [(f"seed {r['seed']}", 1 + i % 5) for i, r in enumerate(runs)]
    return {**charts, "off_scale": off, "legend": legend}


def steps(result: Result) -> dict[str, Any] | None:
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
            "throughput": f"{count(r['throughput']['value'])} {r['throughput']['unit']}",
            "median": milliseconds(r["step_time_s"]["median"] * 1e3),
            "p95": milliseconds(r["step_time_s"]["p95"] * 1e3),
            "computing": or_dash(compute_share(r), lambda v: f"{100 * v:.1f} %"),
            "utilisation": f"{100 * r['accelerator_utilisation']:.1f} %",
            "cold": or_dash(r.get("accelerator_utilisation_cold"), lambda v: f"{100 * v:.1f} %"),
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


def serving(result: Result) -> dict[str, Any] | None:
    data = result["serving"]
    if not data:
        return None
    latency = data.get("latency", [])
    charts = []
    for name in dict.fromkeys(row["workload"] for row in latency):
        mine = [r for r in latency if r["workload"] == name and r["ecdf"]]
        series = [
            Series(
                [(x, y) for x, y in r["ecdf"]], f"{r['rate_rps']:g} requests/s", style=1 + i % 5, steps=True
            )
            for i, r in enumerate(mine)
        ]
        if not series:
            continue
        bound = mine[0]["p99_bound_ms"]
        top = max([bound * 1.15, *(p[0] for s in series for p in s.points)])
        low = min(p[0] for s in series for p in s.points)
        chart = Chart(f"Latency of {name}", "milliseconds", "share answered", series,
                      levels=[Level(0.99, "p99")], verticals=[Level(bound, f"bound {bound:g} ms", "target")],
                      log_x=True, x_range=(low / 1.2, top), y_range=(0.0, 1.0), y_percent=True)  # fmt: skip
        charts.append({"svg": Markup(line_chart(chart)),
                       "caption": f"{name}: share of requests answered within so long.",
                       "legend": [(s.label, s.style) for s in series]})  # fmt: skip
    return {
        "charts": charts,
        "latency": [_latency_row(r) for r in latency],
        "models": [
            {
                "workload": m["workload"],
                "samples": _sample(m, result["data"].get(m["workload"])),
                "served": quality(m["quality_served"], m["metric"], unit=True),
                "trained": quality(m["quality_trained"], m["metric"], unit=True),
                "heldout": quality(m["quality_heldout"], m["metric"], unit=True)
                if m.get("quality_heldout") is not None
                else "–",
                "agreement": f"{100 * m['agreement']:g} %",
                "difference": f"{m['max_abs_difference']:.1e}",
                "sha256": m["sha256"][:12] + "…",
            }
            for m in data.get("models", [])
        ],
        "offline": [
            f"{o['workload']}: {o['requests_per_s']:g} requests/s from {o['clients']} closed-loop clients"
            + (f", {o['errors']} errors" if o["errors"] else "")
            + (f"; {reason}." if (reason := busy(o.get("host_load"))) else ".")
            for o in data.get("offline", [])
        ],
    }


def _latency_row(row: dict[str, Any]) -> dict[str, str]:
    shown = {
        k: "–" if row[f"{k}_ms"] is None else milliseconds(row[f"{k}_ms"]) for k in ("p50", "p95", "p99")
    }
    return {"workload": row["workload"], "rate": f"{row['rate_rps']:g}/s", "samples": count(row["samples"]),
            "over": or_dash(row.get("over_bound"), str), "errors": str(row["errors"]),
            "others": others(row.get("host_load")), **shown}  # fmt: skip


def others(load: dict[str, Any] | None) -> str:
    """Share of the processors that other programs took."""
    share = (load or {}).get("others_share")
    return "–" if share is None else f"{100 * share:.0f} %" + (", busy" if busy(load) else "")


def _sample(model: dict[str, Any], data: dict[str, Any] | None) -> str:
    """How many of the held-out data were asked; of text, a sample is one byte to predict."""
    rows = data and data["splits"]["heldout"]["rows"]
    return f"{count(model['samples'])} of {count(rows)}" if rows else count(model["samples"])


def energy(joules: float, per: str) -> str:
    for factor, unit in ((1, "J"), (1e3, "mJ"), (1e6, "µJ")):
        if joules * factor >= 1:
            return f"{joules * factor:.3g} {unit}/{per}"
    return f"{joules * 1e6:.3g} µJ/{per}"


def energy_rows(result: Result) -> list[tuple[str, str]]:
    """What the joules cover, and when the run was to start; each only where there is one."""
    rows, runs = [], [*result["training"], *result["bare"]]
    sums = [_joules(r) for r in runs if r.get("energy")]
    if sums:
        rows.append(("Energy", "; ".join(sums)))
    plan = result.get("schedule")
    if plan:
        window = f"window {plan['window']}" if plan["window"] else "no window"
        text = f"{window}, started {plan['started']}"
        if plan["series"]:
            now = plan["expected_mean_now"]
            text += f", cheapest by {plan['series']['file']}: mean {plan['expected_mean']:g} {plan['unit']}"
            text += "" if now is None else f", {now:g} if started when asked"
        rows.append(("Schedule", text))
    return rows


def _joules(run: dict[str, Any]) -> str:
    e = run["energy"]
    idle = "idle power unknown" if e["idle_w"] is None else f"{e['idle_w']:.1f} W idle"
    net = "" if e["net_j"] is None else f"{e['net_j']:.1f} J of "
    return (
        f"{run['workload']}/{run['seed']} ({run['launcher']}): {net}{e['gross_j']:.1f} J in "
        f"{e['seconds']:.1f} s, {idle}; {e['source']}: {', '.join(e['covers'])}"
    )


def quality(value: float, metric: str, unit: bool = False) -> str:
    return f"{100 * value:.2f} %" if metric == "accuracy" else f"{value:.3f}{' bits/byte' if unit else ''}"


def or_dash(value: Any, show: Callable[[Any], str]) -> str:
    return "–" if value is None else show(value)


def milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def count(value: float) -> str:
    """1 234 567 with thin spaces."""
    return f"{value:,.0f}".replace(",", "\u202f")


def size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("unreachable")
