"""Waivers: exceptions from a rule for one resource, with a reason, an owner and an end.

They live in `waivers.yaml`, never in the code of a rule. An expired waiver no longer waives, and an expired
or unused one is itself a violation: the list holds what is needed today and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from policies.documents import Entry, SettingsError, entries

FILE = Path(__file__).parent / "waivers.yaml"
FIELDS = ("resource", "rule", "reason", "owner", "expires")
SHORTEST_REASON = 20


@dataclass(frozen=True)
class Waiver:
    """`resource` is a Docker name; `{stack}` in it stands for the stack. Valid to the end of `expires`."""

    resource: str
    rule: str
    reason: str
    owner: str
    expires: date
    place: str

    def covers(self, stack: str, rule: str, resource: str) -> bool:
        return rule == self.rule and resource == self.resource.replace("{stack}", stack)

    def expired(self, today: date) -> bool:
        return today > self.expires


def load(rules: Collection[str], path: Path = FILE) -> tuple[Waiver, ...]:
    """All waivers of a file.

    Raises:
        SettingsError: with every mistake in the file.
    """
    waivers: list[Waiver] = []
    problems: list[str] = []
    for entry in entries(path):
        found = _problems(entry, rules)
        problems += [f"{entry.place}: {problem}" for problem in found]
        if not found:
            waivers.append(Waiver(**entry.value, place=entry.place))
    seen: dict[tuple[str, str], str] = {}
    for waiver in waivers:
        first = seen.setdefault((waiver.resource, waiver.rule), waiver.place)
        if first != waiver.place:
            problems.append(f"{waiver.place}: the same resource and rule are waived at {first}; remove one")
    if problems:
        raise SettingsError(problems)
    return tuple(waivers)


def _problems(entry: Entry, rules: Collection[str]) -> list[str]:
    value: Any = entry.value
    if not isinstance(value, dict):
        return [f"expected an entry with {', '.join(FIELDS)}"]
    problems = [f"{field!r} is missing" for field in FIELDS if value.get(field) in (None, "")]
    problems += [f"{field!r} is no field of a waiver; remove it" for field in value if field not in FIELDS]
    for field in FIELDS[:-1]:
        if value.get(field) is not None and not isinstance(value[field], str):
            problems.append(f"{field!r} should be text")
    if isinstance(value.get("rule"), str) and value["rule"] and value["rule"] not in rules:
        problems.append(f"there is no rule {value['rule']!r} in policies/rules")
    if any(sign in str(value.get("resource") or "") for sign in "*?["):
        problems.append(
            "'resource' takes no wildcards: waive each resource by name, with {stack} for the stack"
        )
    reason = value.get("reason")
    if isinstance(reason, str) and 0 < len(reason) < SHORTEST_REASON:
        problems.append(f"'reason' should say why, in {SHORTEST_REASON} characters or more")
    # YAML reads a plain 2027-01-31 as a date; a datetime is a date too, and compares with none.
    if value.get("expires") not in (None, "") and type(value["expires"]) is not date:
        problems.append("'expires' should be a date, such as 2027-01-31")
    return problems
