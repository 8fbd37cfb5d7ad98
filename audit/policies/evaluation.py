"""The policies of the repository, with the levels and waivers in force today. Effects: reads the settings."""

from __future__ import annotations

from datetime import UTC, date, datetime

from audit.context import Context
from components.planning.flows import FLOWS, LISTENS
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, Source, Stack
from policies.settings import bundle


def judge(context: Context, resources: tuple[Resource, ...], source: Source) -> Report:
    """Every rule on `resources`. Raises policies.settings.documents.SettingsError."""
    in_force = bundle.load(context.stack, NAMES)
    stack = Stack(resources, FLOWS, LISTENS, context.stack, source)
    return evaluate(stack, RULES, in_force.waivers, in_force.levels, today())


def today() -> date:
    return datetime.now(UTC).date()
