"""Mandatory or advisory, by stack: `levels.yaml` overrides what a rule says of itself.

A rule cannot be switched off there. For one resource there are waivers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from policies.documents import SettingsError, entries
from policies.rule import Level, Rule

FILE = Path(__file__).parent / "levels.yaml"
Levels = Mapping[str, Level]


def load(stack: str, rules: Collection[str], path: Path = FILE) -> Levels:
    """The overrides of one stack, rule → level.

    Raises:
        SettingsError: with every mistake in the file, those of other stacks included.
    """
    problems: list[str] = []
    chosen: dict[str, Level] = {}
    for entry in entries(path):
        if not isinstance(entry.value, dict):
            problems.append(f"{entry.place}: {entry.key!r} should be a map from rules to levels")
            continue
        for rule, level in entry.value.items():
            if rule not in rules:
                problems.append(f"{entry.place}: there is no rule {rule!r} in policies/rules")
            if level not in get_args(Level):
                problems.append(f"{entry.place}: the level of {rule!r} should be advisory or mandatory")
        if entry.key == stack:
            chosen.update(entry.value)
    if problems:
        raise SettingsError(problems)
    return chosen


def level_of(rule: Rule, levels: Levels) -> Level:
    return levels.get(rule.name, rule.level)
