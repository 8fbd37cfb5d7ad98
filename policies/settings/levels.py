"""Mandatory or advisory, by stack: `levels.yaml` overrides a rule's own level.

    all: {process-limit: mandatory}             every stack
    prod: {all: mandatory, log-cap: advisory}   every rule of one stack, and an exception

The more specific entry wins: a stack over `all`, a rule over `all`. No rule can be switched off there; for a
single resource there are waivers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from components.planning.issues import Issue, suggest
from policies.rule import Level, Rule
from policies.settings.documents import Node, read

FILE = "levels.yaml"
EVERY = "all"
LEVELS = get_args(Level)
Levels = Mapping[str, Level]
NONE: Levels = MappingProxyType({})


def load(
    stack: str, rules: Collection[str], stacks: Collection[str], issues: list[Issue], path: Path
) -> Levels:
    """The file's levels for `stack`, rule → level. Mistakes, of any stack, go to `issues`."""
    root = read(path, issues)
    if root is None:
        return NONE
    if root.fields is None:
        fix = "write one, such as {prod: {cpu-limit: mandatory}}, or {}"
        issues.append(Issue.at(root.place, "", "expected a map from stacks to rules and levels", fix))
        return NONE
    scopes: dict[str, Levels] = {}
    for scope, node in root.fields.items():
        if scope != EVERY and scope not in stacks:
            fix = suggest(scope, {*stacks, EVERY}, f"write a stack ({', '.join(sorted(stacks))}) or {EVERY}")
            issues.append(Issue.at(node.place, scope, f"there is no Pulumi.{scope}.yaml", fix))
        scopes[scope] = _scope(scope, node, rules, issues)
    chosen: dict[str, Level] = {}
    for scope in (EVERY, stack):
        given = scopes.get(scope, NONE)
        if EVERY in given:
            chosen |= dict.fromkeys(rules, given[EVERY])
        chosen |= {rule: level for rule, level in given.items() if rule != EVERY}
    return chosen


def _scope(scope: str, node: Node, rules: Collection[str], issues: list[Issue]) -> Levels:
    """The valid entries of one stack."""
    if node.fields is None:
        fix = f"write a map, such as {{{EVERY}: mandatory}}"
        issues.append(Issue.at(node.place, scope, "expected rules and their levels", fix))
        return NONE
    good: dict[str, Level] = {}
    for rule, given in node.fields.items():
        if rule != EVERY and rule not in rules:
            fix = suggest(rule, rules, "remove it; docs/policies.md lists the rules")
            issues.append(Issue.at(given.place, rule, "there is no such rule", fix))
        elif given.value not in LEVELS:
            fix = f"write {' or '.join(LEVELS)}"
            issues.append(Issue.at(given.place, rule, f"{_shown(given)} is not a level", fix))
        else:
            good[rule] = given.value
    return good


def _shown(node: Node) -> str:
    return "a list or a map" if node.items is not None or node.fields is not None else repr(node.value)


def level_of(rule: Rule, levels: Levels) -> Level:
    return levels.get(rule.name, rule.level)
