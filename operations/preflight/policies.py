"""Every rule on the planned stack: `up` asks before anything is created, `aidc policy` for its reports."""

from __future__ import annotations

import io

from rich.console import Console

from policies.apply import apply_rules
from policies.catalogue import NAMES, RULES
from policies.reports import report
from policies.settings import bundle
from policies.sources import stacks


def check_plan(stack: str) -> tuple[str, bool]:
    """Whether the planned stack passes, and the summary line; where it fails, below the table of violations.

    Raises:
        sources.SourceError, SettingsError: nothing could be checked.
    """
    in_force, resources = bundle.load(stack, NAMES), stacks.plan(stack)
    result = apply_rules(stack, resources, in_force)
    line = report.summary(result, len(RULES), len(resources), stack, "plan")
    if result.passed:
        return line, True
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.table(result))
    return f"{console.export_text()}{line}", False
