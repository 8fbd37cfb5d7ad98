"""The section on learning: quality over samples and over time, against the target and the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from benchmark.core import stats
from benchmark.report import text
from benchmark.report.plots import Chart, Level, Series, line_chart

Result = dict[str, Any]


def section(result: Result) -> list[dict[str, Any]]:
    items = []
    for name, workload in result["configuration"]["workloads"].items():
        runs = [r for r in result["training"] if r["workload"] == name] or [
            r for r in result["bare"] if r["workload"] == name
        ]
        if not runs:
            continue
        drawn = charts(name, workload, runs, result["data"].get(name, {}).get("baselines", []))
        times = [r["time_to_train_s"] for r in runs if r["time_to_train_s"] is not None]
        summary = f"{text.count(runs[0]['parameters'])} parameters; {learned_with(workload)}. "
        if times:
            summary += f"The target was reached after {stats.olympic_mean(times):.1f} s"
            summary += f" (mean of {len(times)} seeds)." if len(times) > 1 else "."
        else:
            summary += "The target was not reached."
        items.append(
            {
                "name": name,
                "title": workload["title"],
                "about": workload["about"],
                "summary": summary,
                **drawn,
            }
        )
    return items


def learned_with(workload: Mapping[str, Any]) -> str:
    """Optimiser, learning rate, batch and steps in words."""
    optimiser, training = workload["optimiser"], workload["training"]
    rate = f"learning rate {optimiser['learning_rate']:g}"
    if optimiser["kind"] == "muon":
        rate = (
            f"learning rate {optimiser['muon_learning_rate']:g} of the hidden matrices, the rest by AdamW, "
        )
        rate += f"learning rate {optimiser['learning_rate']:g}"
    name = {"adamw": "AdamW", "muon": "Muon"}.get(optimiser["kind"], str(optimiser["kind"]))
    steps = f"{text.count(training['steps'])} steps of {text.count(training['batch_size'])}"
    return f"{name}, {rate}; {steps}"


def charts(
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
        Level(b["value"], f"{b['name']} {text.quality(b['value'], metric)}") for b in near
    ]
    axis = "accuracy" if accuracy else "bits per byte"
    drawn = {}
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
        drawn[key] = Markup(line_chart(chart))
    off = ", ".join(f"{b['name']} {text.quality(b['value'], metric)}" for b in far)
    legend = [(f"seed {r['seed']}", 1 + i % 5) for i, r in enumerate(runs)]
    return {**drawn, "off_scale": off, "legend": legend}
