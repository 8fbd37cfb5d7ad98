"""`make doctor`: only the preflight checks, as a table or as flat JSON.

Exit codes: 0 no check failed; 1 a check failed; 2 the stack's file is missing or not valid.
"""

from __future__ import annotations

import json

from rich.markup import escape
from rich.table import Table

from operations.errors import FAILED, OK, REFUSED
from operations.output import console, count
from operations.preflight import requirements
from operations.preflight.checks import Check
from operations.process import say
from operations.stack.file import read


def main(stack: str, *, as_json: bool) -> int:
    """Print every check of `stack`; see the module for the exit code."""
    report = requirements.examine(read(stack))
    if as_json:
        say(json.dumps(flat(report), indent=2))
    else:
        console().print(_table(report))
        say(f"{count(len(report.issues), 'problem')}, {count(len(report.warnings), 'warning')}")
    if report.checks[0].issues:
        return REFUSED
    return FAILED if report.issues else OK


def outcome(check: Check) -> str:
    """`failed`, `not checked`, `warning` or `ok`."""
    if check.issues:
        return "failed"
    if check.skipped:
        return "not checked"
    return "warning" if check.warnings else "ok"


def flat(report: requirements.Report) -> dict[str, object]:
    """A single level of keys: each check's outcome, and the lists `failures` and `warnings`."""
    return {
        "stack": report.file.stack,
        "ok": not report.issues,
        **{check.name: outcome(check) for check in report.checks},
        "failures": [f"{i.place}: {i.fault}; fix: {i.fix}" for i in report.issues],
        "warnings": report.warnings,
    }


def _table(report: requirements.Report) -> Table:
    table = Table(
        "check", "result", "details", title=f"preflight of stack {report.file.stack}", title_justify="left"
    )
    colours = {"failed": "red", "warning": "yellow", "ok": "green", "not checked": "dim"}
    for check in report.checks:
        result = outcome(check)
        details = [*(str(i) for i in check.issues), *check.warnings] or [check.note]
        table.add_row(check.name, f"[{colours[result]}]{result}[/]", escape("\n".join(details)))
    return table
