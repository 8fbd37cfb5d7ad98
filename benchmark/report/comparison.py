"""The comparison of two results: a self-contained page, and a short summary in Markdown.

Both are made from the two result files alone; the verdicts are those of `benchmark.analysis.gate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmark.analysis import gate
from benchmark.core import files
from benchmark.report import pages, summary
from benchmark.report.plots import VERDICT_STYLES, Chart, Interval, Level, Series, intervals, line_chart
from benchmark.report.sections import headline as section
from benchmark.report.sections import record

Result = dict[str, Any]
STYLE_BEFORE, STYLE_NOW = 6, 1
BY = (("samples", "samples seen"), ("seconds", "seconds on the clock"))


def write(baseline: Result, candidate: Result, path: Path) -> Path:
    """Make the page at `path`; ComparisonError when the two must not be compared."""
    page = render(baseline, candidate)
    files.write(path, page)
    return path


def render(baseline: Result, candidate: Result) -> str:
    found = gate.compare(baseline, candidate)
    return pages.fill(
        "comparison.html.j2",
        {
            "title": f"Comparison: {candidate['stack']}, {candidate['tier']}",
            "headline": headline(found),
            "detail": f"Run {candidate['run_id']} against the earlier run {baseline['run_id']}, "
            f"tier {candidate['tier']}: same workloads, data, ranks and machine.",
            "rows": sorted(found["rows"], key=lambda row: pages.ORDER.index(row["verdict"])),
            "speeds": _speeds(found),
            "learning": [_learning(n, w, baseline, candidate)
                         for n, w in candidate["configuration"]["workloads"].items()],
            "legend": [("earlier run", STYLE_BEFORE), ("this run", STYLE_NOW)],
            "sides": [(name.capitalize(), _facts(found[name])) for name in ("baseline", "candidate")],
            "in_turns": "turns" in candidate and "turns" in baseline,
            "schema": candidate["schema"],
        },
    )  # fmt: skip


def headline(found: dict[str, Any]) -> str:
    rows = found["rows"]
    count = {word: sum(row["verdict"] == word for row in rows) for word in VERDICT_STYLES}
    if count["fail"]:
        return f"Worse than the earlier run in {count['fail']} of {len(rows)} comparisons"
    if count["inconclusive"]:
        return f"Nothing is shown to be worse; {count['inconclusive']} of {len(rows)} comparisons are open"
    return f"Not worse than the earlier run in all {len(rows)} comparisons"


def _speeds(found: dict[str, Any]) -> list[dict[str, Any]]:
    charts = []
    for metric in dict.fromkeys(row["metric"] for row in found["rows"]):
        rows = [
            Interval(row["name"].split(" of ", 1)[1], row["ratio"], row["low"], row["high"],
                     VERDICT_STYLES[row["verdict"]], f"{row['ratio']:.3f}, {row['pairs']} pairs")
            for row in found["rows"]
            if row["metric"] == metric and row.get("pairs")
        ]  # fmt: skip
        if rows:
            title = metric.capitalize()
            drawing = intervals(title, rows, Level(gate.BOUND, f"{gate.BOUND:g}", "target"))
            charts.append({"title": title, "svg": Markup(drawing)})
    return charts


def _learning(name: str, workload: dict[str, Any], baseline: Result, candidate: Result) -> dict[str, Any]:
    """Quality by samples and by seconds, both runs in one drawing."""
    accuracy, target = workload["target"]["metric"] == "accuracy", workload["target"]["value"]
    axis = "accuracy" if accuracy else "bits per byte"
    label = f"target {100 * target:g} %" if accuracy else f"target {target:g}"
    charts = []
    for field, words in BY:
        series = [
            Series(
                [(p[field], p["value"]) for p in r["curve"]], f"{side}, seed {r['seed']}", style, thin=True
            )
            for side, result, style in (("earlier", baseline, STYLE_BEFORE), ("this", candidate, STYLE_NOW))
            for r in result["training"]
            if r["workload"] == name
        ]
        levels = [Level(target, label, "target")]
        chart = Chart(f"{name}: {axis} by {words}", words, axis, series, levels, y_percent=accuracy)
        charts.append(Markup(line_chart(chart)))
    return {"name": name, "title": workload["title"], "charts": charts}


def _facts(side: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Run", str(side["run_id"])),
        ("Stack and tier", f"{side['stack']}, {side['tier']}"),
        ("Started", str(side["started"]).replace("T", " ").replace("+00:00", " UTC")),
        *(record.source(side, 10) or [("Commit", "not known")]),
        ("PyTorch", str(side["torch"])),
    ]


def markdown(baseline: Result, candidate: Result) -> str:
    """For a pull request: the verdict, what failed or is open, the rest folded away."""
    found = gate.compare(baseline, candidate)
    runs = f"Run `{candidate['run_id']}` against `{baseline['run_id']}`, tier {candidate['tier']}."
    text = [f"## Benchmark: {found['verdict']}", "", f"{headline(found)}. {runs}", ""]
    return "\n".join(text + _tables(found["rows"])) + "\n"


def markdown_of_one(result: Result) -> str:
    """The same for a single result."""
    top = section.headline(result)
    text = [f"## Benchmark: {top['text']}", "", top["detail"], ""]
    figures = [f"- {t['name']}: **{t['value']} {t['unit']}** ({t['hint']})" for t in section.tiles(result)]
    errors = [f"- error in {e['where']}: {_cell(e['message'])}" for e in result["errors"]]
    for part in (figures, summary.markdown(result), errors):
        text += [*part, ""] if part else []
    return "\n".join(text + _tables(result["verdicts"])) + "\n"


def _tables(rows: list[dict[str, Any]]) -> list[str]:
    shown = [row for row in rows if row["verdict"] != "pass"]
    passed = [row for row in rows if row["verdict"] == "pass"]
    text = _table(shown) if shown else []
    if passed:
        text += [
            "",
            f"<details><summary>{len(passed)} passed</summary>",
            "",
            *_table(passed),
            "",
            "</details>",
        ]
    return text


def _table(rows: list[dict[str, Any]]) -> list[str]:
    head = ["| check | verdict | measured | expected |", "|---|---|---|---|"]
    return head + [
        f"| {_cell(r['name'])} | {r['verdict']} | {_cell(r['actual'])} | {_cell(r['expected'])} |"
        for r in rows
    ]


def _cell(text: str) -> str:
    """One line that can neither end its cell nor open a tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
