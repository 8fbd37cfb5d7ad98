"""Every rule on a stack's resources, with the waivers and levels in force today. Effects: reads the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

from components.planning.flows import tables
from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, Stack
from policies.settings.bundle import Settings


def apply_rules(
    stack: str, resources: tuple[Resource, ...], in_force: Settings, source: Source = "plan"
) -> Report:
    """Apply every rule to `resources`; waivers end by today's date, UTC."""
    whole = Stack(resources, *tables({resource.role for resource in resources}), stack, source)
    return evaluate(whole, RULES, in_force.waivers, in_force.levels, today())


def today() -> date:
    return datetime.now(UTC).date()
