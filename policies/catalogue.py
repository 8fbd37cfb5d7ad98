"""All rules, in a fixed order. A rule in one of the modules below is in force."""

from __future__ import annotations

from policies.rule import Rule
from policies.rules import (
    advisories,
    build,
    engine,
    images,
    isolation,
    limits,
    network,
    outside,
    packages,
    privilege,
    services,
    stack,
    storage,
)

MODULES = (
    privilege,
    isolation,
    limits,
    images,
    build,
    packages,
    network,
    outside,
    services,
    stack,
    storage,
    engine,
    advisories,
)

RULES: tuple[Rule, ...] = tuple(
    value for module in MODULES for value in vars(module).values() if isinstance(value, Rule)
)
NAMES = frozenset(rule.name for rule in RULES)
