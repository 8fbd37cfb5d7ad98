"""Waivers: exceptions from a rule for one resource, with a reason, an owner and an expiry date.

They live in `waivers.yaml`, never in the code of a rule. An expired waiver no longer waives, and one that is
expired, unused or names a resource that does not exist is itself a violation: the list holds what is needed
today.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from components.planning.issues import Issue, suggest
from policies.model import stack_of
from policies.settings.documents import Node, read

FILE = "waivers.yaml"
REQUIRED = ("resource", "rule", "reason", "owner", "expires")
FIELDS = (*REQUIRED, "fault")
SHORTEST_REASON = 20


@dataclass(frozen=True)
class Waiver:
    """`resource` is a Docker name; `{stack}` in it stands for the stack. Valid until the end of `expires`.

    `fault`, where given, is part of the fault's text: other faults of the same rule are not waived.
    """

    resource: str
    rule: str
    reason: str
    owner: str
    expires: date
    place: str
    fault: str = ""

    @property
    def stack(self) -> str:
        """The one stack that the waiver is for; empty where it is for all of them."""
        return stack_of(self.resource)

    def covers(self, stack: str, rule: str, resource: str, fault: str) -> bool:
        mine = rule == self.rule and resource == self.resource.replace("{stack}", stack)
        return mine and self.fault in fault

    def expired(self, today: date) -> bool:
        return today > self.expires


def load(
    rules: Collection[str], stacks: Collection[str], issues: list[Issue], path: Path
) -> tuple[Waiver, ...]:
    """The valid waivers of a file. Mistakes go to `issues`."""
    root = read(path, issues)
    if root is None:
        return ()
    if root.items is None:
        fix = 'begin each waiver with "- resource: ", or write []'
        issues.append(Issue.at(root.place, "", "expected a list of waivers", fix))
        return ()
    waivers: list[Waiver] = []
    for entry in root.items:
        found = list(_issues(entry, rules, stacks))
        issues += found
        if not found and entry.fields is not None:
            # Without surrounding blanks, as they were checked: a quoted text may have some.
            values = {field: _stripped(node.value) for field, node in entry.fields.items()}
            waivers.append(Waiver(**values, place=entry.place))
    first: dict[tuple[str, ...], str] = {}
    for waiver in waivers:
        place = first.setdefault((waiver.resource, waiver.rule, waiver.fault), waiver.place)
        if place != waiver.place:
            fault = f"the same fault is already waived at {place}"
            issues.append(Issue.at(waiver.place, "resource", fault, "remove one of the two"))
    return tuple(waivers)


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _issues(entry: Node, rules: Collection[str], stacks: Collection[str]) -> Iterator[Issue]:
    """Every mistake in one entry."""
    fields = entry.fields
    if fields is None:
        yield Issue.at(entry.place, "", "expected a waiver", f"write {', '.join(REQUIRED)}")
        return
    for name, node in fields.items():
        if name not in FIELDS:
            yield Issue.at(node.place, name, "is not a field of a waiver", suggest(name, FIELDS, "remove it"))
    for name in FIELDS:
        if name not in fields:
            if name in REQUIRED:
                yield Issue.at(entry.place, name, "is missing", "add it")
            continue
        value, place = fields[name].value, fields[name].place
        if value is None or (isinstance(value, str) and not value.strip()):
            yield Issue.at(place, name, "is empty", "fill it in, or remove the waiver")
        elif name == "expires":
            # YAML reads a plain 2027-01-31 as a date; a datetime is a date, too, but compares with none.
            if type(value) is not date:
                fix = "write the last valid day without quotes, such as 2027-01-31"
                yield Issue.at(place, name, "is not a date", fix)
        elif not isinstance(value, str):
            yield Issue.at(place, name, "is not a string", "write it as one string")
        else:
            yield from _text_issues(place, name, value.strip(), rules, stacks)


def _text_issues(
    place: str, name: str, value: str, rules: Collection[str], stacks: Collection[str]
) -> Iterator[Issue]:
    """Mistakes in a field that is a non-empty string."""
    if name == "rule" and value not in rules:
        fix = suggest(value, rules, "remove the waiver; docs/policies.md lists the rules")
        yield Issue.at(place, name, f"there is no rule {value!r}", fix)
    elif name == "resource" and any(sign in value for sign in "*?["):
        yield Issue.at(
            place, name, "wildcards are not allowed", "name one resource; write {stack} for the stack"
        )
    elif name == "resource" and stack_of(value) and stack_of(value) not in stacks:
        fault = f"there is no stack {stack_of(value)!r} (Pulumi.{stack_of(value)}.yaml)"
        yield Issue.at(place, name, fault, "correct the name, or remove the waiver")
    elif name == "reason" and len(value) < SHORTEST_REASON:
        yield Issue.at(
            place, name, "is too short to explain why", f"use {SHORTEST_REASON} characters or more"
        )
