"""The report: one self-contained page made from the result file alone.

This module turns a result into the context of the template: words, numbers as text, drawings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.core import files
from benchmark.report import summary
from benchmark.report.sections import (
    efficiency,
    headline,
    host_baseline,
    learning,
    probes,
    record,
    recovery,
    restorable,
    serving,
    steps,
    stress,
    topology,
)

TEMPLATES = Path(__file__).parent / "templates"
ORDER = ("fail", "inconclusive", "pass")  # what is wrong comes first
Result = dict[str, Any]


def write(path: Path, name: str = "report.html") -> Path:
    """Make the page beside the result file; its path."""
    page = path.with_name(name)
    files.write(page, render(results.load(path), path.name))
    return page


def add_outcome(path: Path, outcome: Any, *keys: str) -> Path:
    """Put `outcome` under `keys` of the result in `path` and its copies, judge and draw it anew; its page."""
    result = results.load(path)
    part = result
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = outcome
    for copy in reversed(runs.copies(path, result["run_id"])):
        results.save(result, copy)
        page = write(copy)
    return page


def render(result: Result, file: str = "result.json") -> str:
    return fill("report.html.j2", context(result, file))


def fill(template: str, content: dict[str, Any]) -> str:
    """A self-contained page: the template with its style inside."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    environment.filters["together"] = _together
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **content)


def context(result: Result, file: str = "result.json") -> dict[str, Any]:
    """What the template shows; `file`: the name of the result beside the page."""
    return {
        "title": f"Acceptance report: {result['stack']}, {result['tier']}",
        "schema": result["schema"],
        "run_id": result["run_id"],
        "headline": headline.headline(result),
        "errors": result["errors"],
        "tracking": result.get("tracking"),
        "tiles": headline.tiles(result),
        "failed": [v for v in result["verdicts"] if v["verdict"] == "fail"],
        "verdicts": sorted(result["verdicts"], key=lambda v: ORDER.index(v["verdict"])),
        "summary": {"columns": summary.COLUMNS, "rows": summary.rows(result)},
        "learning": learning.section(result),
        "steps": steps.section(result),
        "bare": host_baseline.section(result),
        "serving": serving.section(result),
        "stress": stress.section(result),
        "probes": probes.section(result),
        "recovery": recovery.section(result),
        "restorable": restorable.section(result),
        "efficiency": efficiency.section(result.get("efficiency")),
        "topology": topology.section(result),
        "record": record.section(result),
        "file": file,
    }


def _together(text: str) -> str:
    """A relation and its numbers stay on one line."""
    for sign in "<≤≥=:":
        text = text.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    text = text.replace(" %", "\u00a0%")
    return text.replace("–", "\u2060–\u2060")
