"""Every rule on the planned stack: `up` asks before anything is created, `aidc policy` for its reports."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from components.planning.flows import FLOWS, LISTENS
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, Stack
from policies.reports import report
from policies.settings import bundle
from policies.settings.bundle import Settings
from policies.sources import stacks


def apply_rules(
    stack: str, resources: tuple[Resource, ...], in_force: Settings, source: Source = "plan"
) -> Report:
    """Apply every rule to `resources`, with the waivers and levels in force today."""
    whole = Stack(resources, FLOWS, LISTENS, stack, source)
    return evaluate(whole, RULES, in_force.waivers, in_force.levels, datetime.now(UTC).date())


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
