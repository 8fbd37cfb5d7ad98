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
from benchmark.analysis.verdicts import bare_pairs
from benchmark.core import files, stats
from benchmark.report import (
    diagram,
    efficiency_figures,
    figures,
    probe_figures,
    record,
    serving_figures,
    summary,
    timeline,
)

TEMPLATES = Path(__file__).parent / "templates"
ORDER = ("fail", "inconclusive", "pass")  # what is wrong comes first
Result = dict[str, Any]


def write(path: Path, name: str = "report.html") -> Path:
    """Make the page beside the result file; its path."""
    page = path.with_name(name)
    files.write(page, render(results.load(path), path.name))
    return page


def take_up(path: Path, found: Any, *keys: str) -> Path:
    """Put `found` under `keys` of the result in `path` and its copies, judge and draw it anew; its page."""
    result = results.load(path)
    part = result
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = found
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
        "headline": headline(result),
        "errors": result["errors"],
        "tiles": tiles(result),
        "failed": [v for v in result["verdicts"] if v["verdict"] == "fail"],
        "verdicts": sorted(result["verdicts"], key=lambda v: ORDER.index(v["verdict"])),
        "summary": {"columns": summary.COLUMNS, "rows": summary.rows(result)},
        "learning": _learning(result),
        "steps": figures.steps(result),
        "bare": _bare(result),
        "serving": figures.serving(result),
        "stress": serving_figures.stress(result),
        "probes": probe_figures.probes(result),
        "recovery": timeline.section(result),
        "efficiency": efficiency_figures.section(result.get("efficiency")),
        "topology": _topology(result),
        "record": record.section(result),
        "file": file,
    }


def headline(result: Result) -> dict[str, Any]:
    verdicts = result["verdicts"]
    count = {word: sum(v["verdict"] == word for v in verdicts) for word in ("pass", "fail", "inconclusive")}
    if count["fail"]:
        text = f"{count['fail']} of {len(verdicts)} checks failed"
    elif not result["complete"]:
        text = "The run is incomplete"
    elif count["inconclusive"]:
        text = f"{count['pass']} of {len(verdicts)} checks passed, {count['inconclusive']} open"
    else:
        text = f"All {len(verdicts)} checks passed"
    workloads = list(result["configuration"]["workloads"])
    ranks = max((r["world_size"] for r in result["training"]), default=0)
    detail = (
        f"The data centre “{result['stack']}” trained {_enumerate(workloads)} on {ranks} compute nodes"
        + (" and served them through its load balancer." if result["serving"] else ".")
        if ranks
        else timeline.sentence(result)
    )
    environment = result["environment"]
    facts = [
        ("Tier", result["tier"]),
        ("Started", result["started"].replace("T", " ").replace("+00:00", " UTC")),
        ("Processor", environment["host"]["cpu_model"]),
        ("PyTorch", environment["host"]["torch"]),
    ]
    facts += record.source(environment, 10)
    return {"text": text, "detail": detail, "facts": facts}


def tiles(result: Result) -> list[dict[str, str]]:
    """The key figures: quality by workload, time to the target, latency; with the verdict that is on them."""
    found = []
    said = {row["name"]: row["verdict"] for row in result["verdicts"]}
    for name, workload in result["configuration"]["workloads"].items():
        runs = [r for r in result["training"] if r["workload"] == name]
        if not runs:
            continue
        mean = sum(r["quality"]["value"] for r in runs) / len(runs)
        accuracy = workload["target"]["metric"] == "accuracy"
        target = workload["target"]["value"]
        seeds = f", mean of {len(runs)} seeds" if len(runs) > 1 else ""
        found.append(
            {
                "name": workload["title"],
                "value": f"{100 * mean:.2f}" if accuracy else f"{mean:.3f}",
                "unit": "%" if accuracy else "bits/byte",
                "hint": (f"accuracy, target ≥ {100 * target:g} %" if accuracy else f"target ≤ {target:g}")
                + seeds,
                "verdict": said.get(f"quality of {name}", ""),
            }
        )
        times = [r["time_to_train_s"] for r in runs if r["time_to_train_s"] is not None]
        if not accuracy and times:
            found.append({"name": "Time to target", "value": f"{stats.olympic_mean(times):.0f}", "unit": "s",
                          "hint": f"{name}, data and evaluation included", "verdict": ""})  # fmt: skip
    held = [r for r in (result["serving"] or {}).get("latency", []) if r["p99_ms"] is not None]
    if held:
        row = held[0]
        found.append({"name": "Latency, p99", "value": f"{row['p99_ms']:.1f}", "unit": "ms",
                      "hint": f"{row['workload']} at {row['rate_rps']:g} requests/s",
                      "verdict": said.get(f"latency of {row['workload']}", "")})  # fmt: skip
    return found


def _learning(result: Result) -> list[dict[str, Any]]:
    items = []
    for name, workload in result["configuration"]["workloads"].items():
        runs = [r for r in result["training"] if r["workload"] == name] or [
            r for r in result["bare"] if r["workload"] == name
        ]
        if not runs:
            continue
        drawn = figures.learning(name, workload, runs, result["data"].get(name, {}).get("baselines", []))
        times = [r["time_to_train_s"] for r in runs if r["time_to_train_s"] is not None]
        summary = f"{figures.count(runs[0]['parameters'])} parameters; {record.learned_with(workload)}. "
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


def _bare(result: Result) -> list[dict[str, str]]:
    rows = []
    for name, pairs in bare_pairs(result).items():
        unit = next(r["throughput"]["unit"] for r in result["training"] if r["workload"] == name)
        outside, inside = (sum(p[i] for p in pairs) / len(pairs) for i in (0, 1))
        rows.append({"workload": name, "inside": f"{figures.count(inside)} {unit}",
                     "outside": f"{figures.count(outside)} {unit}", "ratio": f"{inside / outside:.3f}",
                     "pairs": str(len(pairs))})  # fmt: skip
    return rows


def _topology(result: Result) -> dict[str, Any] | None:
    flows = result["topology"]["flows"]
    if not flows:
        return None
    rows = [
        {
            **{k: f.get(k, "") for k in ("source", "destination", "segment", "why")},
            "ports": diagram.ports([f]),
        }
        for f in flows
    ]
    return {"svg": Markup(diagram.draw(flows, result["topology"]["counts"])), "flows": rows}


def _together(text: str) -> str:
    """A relation and its numbers stay on one line."""
    for sign in "<≤≥=:":
        text = text.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    text = text.replace(" %", "\u00a0%")
    return text.replace("–", "\u2060–\u2060")


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
