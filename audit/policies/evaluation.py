"""The policies of the repository, with the levels and waivers in force today. Effects: reads the settings."""

from __future__ import annotations

from audit.context import Context
from policies.apply import apply_rules
from policies.catalogue import NAMES
from policies.evaluate import Report
from policies.model import Resource, Source
from policies.settings import bundle


def judge(context: Context, resources: tuple[Resource, ...], source: Source) -> Report:
    """Every rule on `resources`. Raises policies.settings.documents.SettingsError."""
    return apply_rules(context.stack, resources, bundle.load(context.stack, NAMES), source)
