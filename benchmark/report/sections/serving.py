"""The section on serving: latency at each rate, equal answers, offline throughput."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.analysis.disturbance import busy
from benchmark.report import text
from benchmark.report.plots import Chart, Level, Series, line_chart

Result = dict[str, Any]


def section(result: Result) -> dict[str, Any] | None:
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
                       "caption": f"{name}: share of requests answered within a given time.",
                       "legend": [(s.label, s.style) for s in series]})  # fmt: skip
    return {
        "charts": charts,
        "latency": [_latency_row(r) for r in latency],
        "models": [
            {
                "workload": m["workload"],
                "samples": _sample(m, result["data"].get(m["workload"])),
                "served": text.quality(m["quality_served"], m["metric"], unit=True),
                "trained": text.quality(m["quality_trained"], m["metric"], unit=True),
                "heldout": text.quality(m["quality_heldout"], m["metric"], unit=True)
                if m.get("quality_heldout") is not None
                else "–",
                "agreement": f"{100 * m['agreement']:g} %",
                "difference": f"{m['max_abs_difference']:.1e}",
                "sha256": m["sha256"][:12] + "…",
            }
            for m in data.get("models", [])
        ],
        "generation": [_generation_row(g) for g in data.get("generation") or []],
        "offline": [
            f"{o['workload']}: {o['requests_per_s']:g} requests/s from {o['clients']} closed-loop clients"
            + (f", {o['errors']} errors" if o["errors"] else "")
            + (f"; {reason}." if (reason := busy(o.get("host_load"))) else ".")
            for o in data.get("offline", [])
        ],
    }


def _latency_row(row: dict[str, Any]) -> dict[str, str]:
    shown = {
        k: "–" if row[f"{k}_ms"] is None else text.milliseconds(row[f"{k}_ms"]) for k in ("p50", "p95", "p99")
    }
    return {"workload": row["workload"], "rate": f"{row['rate_rps']:g}/s",
            "samples": text.count(row["samples"]), "over": text.or_dash(row.get("over_bound"), str),
            "errors": str(row["errors"]),
            "others": text.others(row.get("host_load")), **shown}  # fmt: skip


def _generation_row(row: dict[str, Any]) -> dict[str, str]:
    def shown(name: str) -> str:
        values = row[f"{name}_ms"]
        return " / ".join(text.or_dash(values[key], text.milliseconds) for key in ("p50", "p95"))

    return {"workload": row["workload"], "clients": str(row["clients"]), "texts": text.count(row["texts"]),
            "first": shown("time_to_first_token"), "per": shown("time_per_output_token"),
            "between": shown("inter_token_latency"), "rate": f"{row['tokens_per_s']:g}/s",
            "errors": str(row["errors"]), "others": text.others(row.get("host_load"))}  # fmt: skip


def _sample(model: dict[str, Any], data: dict[str, Any] | None) -> str:
    """How many of the held-out data were asked; of text, a sample is one byte to predict."""
    rows = data and data["splits"]["heldout"]["rows"]
    return f"{text.count(model['samples'])} of {text.count(rows)}" if rows else text.count(model["samples"])
