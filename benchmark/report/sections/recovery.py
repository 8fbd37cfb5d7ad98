"""The report's section on faults: a time line of steps for each case, and what the fault cost."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.report.plots import Chart, Level, Series, line_chart
from benchmark.report.text import or_dash, quality

UNDISTURBED, ATTEMPT = 6, 1


def section(result: dict[str, Any]) -> dict[str, Any] | None:
    """None where no faults were injected."""
    recovery = result.get("recovery")
    if not recovery or not (recovery["cases"] or recovery["undisturbed"]):
        return None
    undisturbed = recovery["undisturbed"]
    return {
        "intro": intro(recovery),
        "cases": [
            {"title": f"Loss of {case['lost']}", "svg": Markup(draw(case, undisturbed))}
            for case in recovery["cases"]
        ],
        "rows": [row(case, recovery) for case in [undisturbed, *recovery["cases"]] if case],
        "note": note(recovery),
    }


def sentence(result: dict[str, Any]) -> str:
    """The page's first sentence where no benchmark was run."""
    cases = len((result.get("recovery") or {}).get("cases", []))
    if not cases:
        return f"Nothing was trained in the data centre “{result['stack']}”."
    return (
        f"In the data centre “{result['stack']}”, {result['recovery']['workload']} was trained while parts "
        f"of it were killed: {cases} case{'s' if cases > 1 else ''}."
    )


def intro(recovery: dict[str, Any]) -> str:
    return (
        f"{recovery['title']}, seed {recovery['seed']}, {recovery['steps']} steps on "
        f"{recovery['world_size']} ranks, a checkpoint every {recovery['checkpoint_every']} steps. Each line "
        "is one start of the training; it begins again where the last checkpoint was. The grey line is the "
        "undisturbed run."
    )


def draw(case: dict[str, Any], undisturbed: dict[str, Any] | None) -> str:
    """Steps done against seconds since the first start; the fault as a vertical line."""
    series = [Series(_points(line), "undisturbed", UNDISTURBED, thin=True)
              for line in (undisturbed or {}).get("lines", []) if line]  # fmt: skip
    series += [Series(_points(line), f"start {number}", ATTEMPT)
               for number, line in enumerate(case["lines"], 1) if line]  # fmt: skip
    verticals = [Level(at, "fault") for at in case["fault_s"]]
    for fault, at in zip(case["faults"], case["fault_s"], strict=True):
        if fault["recovery_s"] is not None and fault["interrupted"]:
            verticals.append(Level(at + fault["recovery_s"], "new progress"))
    title = f"Steps over time, loss of {case['lost']}"
    return line_chart(
        Chart(title, "seconds since the first start", "steps done", series, verticals=verticals)
    )


def row(case: dict[str, Any], recovery: dict[str, Any]) -> dict[str, str]:
    fault: dict[str, Any] = next(iter(case["faults"]), {})
    return {
        "case": f"Loss of {case['lost']}" if case["lost"] else "Undisturbed",
        "recovery": or_dash(fault.get("recovery_s"), "{:.1f} s".format),
        "restart": or_dash(fault.get("restart_s"), "{:.1f} s".format),
        "redone": or_dash(fault.get("steps_redone"), "{:d}".format),
        "restarts": str(case["restarts"]),
        "submissions": str(case["submissions"]),
        "goodput": or_dash(case["goodput"], "{:.3f}".format),
        "quality": or_dash(case["quality"], lambda v: quality(v, recovery["metric"])),
        "difference": or_dash(case["difference"], "{:+.4f}".format),
    }


def note(recovery: dict[str, Any]) -> str:
    away = max((case["outage_s"] for case in recovery["cases"]), default=0)
    text = (
        "Recovery counts from the fault to the first step beyond those done before it, restart to the first "
        "step of any kind. Goodput is the time of the steps that count, each once, over the time from the "
        "first start to the end. The time line of a start that dies with rank 0 may lack its last "
        f"{recovery['log_resolution_s']:g} s."
    )
    if away:
        text += f" A killed node or head was started again after {away:g} s; recovery includes them."
    return text


def _points(line: list[list[float]]) -> list[tuple[float, float]]:
    return [(at, step) for at, step in line]
