"""The report's section on efficiency: ratios with their intervals, and the runs behind them."""

from __future__ import annotations

import statistics
from typing import Any

from markupsafe import Markup

from benchmark.analysis.disturbance import busy, together
from benchmark.analysis.verdicts.efficiency import machine_of
from benchmark.report.plots import VERDICT_STYLES, Interval, Level, intervals
from benchmark.report.text import count

LABELS = {
    "own": "workload's optimiser : plain loop",
    "adamw": "AdamW in both : plain loop",
    "weak": "weak: batch of a rank constant",
    "strong": "strong: global batch constant",
    "apart": "copies that exchange nothing",
}


def section(found: dict[str, Any] | None) -> dict[str, Any] | None:
    runs = [*found["speed"]["runs"], *found["scaling"]["runs"]] if found else []
    if not found or not runs:
        return None
    speed, scaling, charts = found["speed"], found["scaling"], []
    if speed["ratios"]:
        caption = "Ours over the plain loop, with 95 % intervals."
        charts.append(_chart("Tokens/s, ours : plain", speed["ratios"], speed["bound"], caption))
    if scaling["efficiencies"]:
        caption = (
            f"{scaling['ranks']} ranks, or copies, over {scaling['ranks']} times one rank. What copies that "
            "exchange nothing lose is the machine's: its cores share caches, memory and clock."
        )
        table = dict(scaling["efficiencies"])
        if scaling.get("apart"):
            table["apart"] = {**scaling["apart"], "verdict": None}
        charts.append(_chart("Scaling efficiency", table, scaling["bound"], caption))
    return {
        "intro": "One rank of the train loop against a plain loop of the same model, and two ranks against "
        f"one, in short runs of {found['steps']} steps that alternate. The plain loop takes AdamW; where the "
        "workload takes another optimiser, only the row with AdamW in both compares the loops alone. These "
        f"ratios depend on the processor: they were measured on {machine_of(found)}.",
        "charts": charts,
        "rows": [
            _row(kind, [r for r in runs if r["kind"] == kind])
            for kind in dict.fromkeys(r["kind"] for r in runs)
        ],
        "notes": _notes(found, runs),
    }


def _chart(title: str, table: dict[str, Any], bound: float, caption: str) -> dict[str, Any]:
    drawn = [
        Interval(
            LABELS[key],
            row["ratio"],
            row["low"],
            row["high"],
            VERDICT_STYLES.get(row["verdict"], 1),
            f"{row['ratio']:.3f}",
        )
        for key, row in table.items()
    ]
    return {"svg": Markup(intervals(title, drawn, Level(bound, f"{bound:g}", "target"))), "caption": caption}


def _row(kind: str, runs: list[dict[str, Any]]) -> dict[str, str]:
    rates = [r["tokens_per_s"] for r in runs]
    peaks = [r["gemm_peak_fraction"] for r in runs if r.get("gemm_peak_fraction") is not None]
    return {
        "kind": kind,
        "optimiser": runs[0]["optimiser"],
        "ranks": f"{runs[0]['copies']} x 1" if "copies" in runs[0] else str(runs[0]["world_size"]),
        "batch": str(runs[0]["batch_size"]),
        "runs": str(len(runs)),
        "median": f"{count(statistics.median(rates))} tokens/s",
        "slowest": count(min(rates)),
        "fastest": count(max(rates)),
        "peak": f"{100 * statistics.median(peaks):.0f} %" if peaks else "–",
    }


def _notes(found: dict[str, Any], runs: list[dict[str, Any]]) -> list[str]:
    loads = [r["load_1m"] for r in runs]
    notes = [
        f"{found['threads']} thread{'s' if found['threads'] > 1 else ''} per rank, {found['cores']} cores; "
        f"the machine's load average was {min(loads):.1f} to {max(loads):.1f} at the start of a run."
    ]
    if reason := busy(together(r.get("host_load") for r in runs)):
        notes.append(f"Meanwhile {reason}.")
    if found["no_scaling"]:
        notes.append(f"Scaling is not judged: {found['no_scaling']}.")
    if found["problem"]:
        notes.append(f"Cut short: {found['problem']}.")
    return notes
