"""Every rule on a stack's resources, with the waivers and levels in force today. Effects: reads the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, assembled
from policies.settings.bundle import Settings


def apply_rules(
    stack: str, resources: tuple[Resource, ...], in_force: Settings, source: Source = "plan"
) -> Report:
    """Apply every rule to `resources`; waivers end by today's date, UTC."""
    return evaluate(assembled(resources, stack, source), RULES, in_force.waivers, in_force.levels, today())


def today() -> date:
    return datetime.now(UTC).date()
