"""`make doctor`: the preflight alone, for a person as a table, for a program as flat JSON.

Exit codes: 0 nothing stands in the way; 1 a check failed; 2 the stack's file itself is not usable.
"""

from __future__ import annotations

import json

from rich.markup import escape
from rich.table import Table

from operations.errors import FAILED, OK, REFUSED
from operations.output import console
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
        failed = len(report.issues)
        say(f"{failed} problem{'s' if failed != 1 else ''}, {len(report.warnings)} warnings")
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
    """One level of keys: each check's outcome, and the lists `failures` and `warnings`."""
    return {
        "stack": report.file.stack,
        "ok": not report.issues,
        **{check.name: outcome(check) for check in report.checks},
        "failures": [f"{i.place}: {i.fault}; fix: {i.fix}" for i in report.issues],
        "warnings": report.warnings,
    }


def _table(report: requirements.Report) -> Table:
    table = Table("check", "result", "found", title=f"preflight of {report.file.stack}", title_justify="left")
    colours = {"failed": "red", "warning": "yellow", "ok": "green", "not checked": "dim"}
    for check in report.checks:
        result = outcome(check)
        told = [*(str(i) for i in check.issues), *check.warnings] or [check.note]
        table.add_row(check.name, f"[{colours[result]}]{result}[/]", escape("\n".join(told)))
    return table
