"""Reviews of the pins: `toolchain/advisories.yaml`, typed; all its mistakes at once, each with its line.

A review says which version was examined, when, and which advisories are known: whether each affects us, why,
and which rule or test guards against it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from components.planning.issues import Issue, suggest
from policies.model import Resource
from policies.pins import Pin, PinKind, pins
from policies.settings.documents import Node, read

FILE = "toolchain/advisories.yaml"
Text = Annotated[str, Field(min_length=1)]
Reason = Annotated[str, Field(min_length=20)]
FIX = "give the field the type that it has in the other reviews; see the top of the file"


class Advisory(BaseModel):
    """One known vulnerability of a part. `held_by`: `policy:<rule>`, or a test as `<file>::<function>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Text
    what: Reason
    affects_us: bool
    why: Reason
    held_by: list[Text] = []


class Review(BaseModel):
    """One reviewed part. The version of a Debian package is that of its source package."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    part: Text
    kind: PinKind
    version: Text
    reviewed: date
    advisories: list[Advisory] = []


@dataclass(frozen=True)
class Placed:
    """A review and the line on which it begins."""

    review: Review
    place: str


def load(root: Path, rules: Collection[str], issues: list[Issue]) -> tuple[Placed, ...]:
    """The reviews in the file; mistakes go to `issues`."""
    document = read(root / FILE, issues, FILE)
    if document is None:
        return ()
    if document.items is None:
        issues.append(
            Issue.at(document.place, "", "expected a list of reviews", "begin each with `- part: `")
        )
        return ()
    try:
        reviews = TypeAdapter(list[Review]).validate_python(_plain(document))
    except ValidationError as error:
        for found in error.errors():
            place, field = _where(document, found["loc"])
            issues.append(Issue.at(place, field, found["msg"].lower(), FIX))
        return ()
    placed = tuple(Placed(r, node.place) for r, node in zip(reviews, document.items, strict=True))
    issues += _inconsistencies(placed, document, rules, root)
    return placed


def _plain(node: Node) -> Any:
    if node.items is not None:
        return [_plain(item) for item in node.items]
    if node.fields is not None:
        return {key: _plain(value) for key, value in node.fields.items()}
    return node.value


def _where(node: Node, path: Sequence[int | str]) -> tuple[str, str]:
    """The place and the dotted name of what `path` leads to, or of the nearest value above it."""
    place, name = node.place, ".".join(str(part) for part in path[1:])
    for part in path:
        inner: Node | None = None
        if node.items is not None and isinstance(part, int) and part < len(node.items):
            inner = node.items[part]
        elif node.fields is not None:
            inner = node.fields.get(str(part))
        if inner is None:
            break
        node, place = inner, inner.place
    return place, name


def _inconsistencies(
    placed: Sequence[Placed], document: Node, rules: Collection[str], root: Path
) -> Iterator[Issue]:
    """Contradictions between reviews, or between a review and the repository."""
    first: dict[tuple[str, str], str] = {}
    for number, found in enumerate(placed):
        review, key = found.review, (found.review.kind, found.review.part)
        if key in first:
            fault = f"{review.part} is already reviewed at {first[key]}"
            yield Issue.at(found.place, "part", fault, "remove one of the two")
        first.setdefault(key, found.place)
        for index, advisory in enumerate(review.advisories):
            path = (number, "advisories", index)
            if advisory.affects_us and not advisory.held_by:
                fault = f"{advisory.id} affects us and nothing guards against it"
                yield Issue.at(
                    _where(document, path)[0], "held_by", fault, "name the rule or the test that does"
                )
            for at, holder in enumerate(advisory.held_by):
                fix = _missing(holder, rules, root)
                if fix:
                    place = _where(document, (*path, "held_by", at))[0]
                    yield Issue.at(place, "held_by", f"there is no {holder!r}", fix)


def _missing(holder: str, rules: Collection[str], root: Path) -> str:
    """How to correct the name of a rule or test that does not exist; empty where it exists."""
    if holder.startswith("policy:"):
        name = holder.removeprefix("policy:")
        return "" if name in rules else suggest(name, rules, "docs/policies.md lists the rules")
    file, _, test = holder.partition("::")
    tests = _tests(root / file)
    return "" if test in tests else suggest(test, tests, "write policy:<rule> or tests/<file>.py::<test>")


@cache
def _tests(path: Path) -> frozenset[str]:
    try:
        return frozenset(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    except OSError:
        return frozenset()


def resources(found: Sequence[Pin], reviews: Sequence[Placed], today: date) -> Iterator[Resource]:
    """Each pin with its review, and each review without a pin, for the rules."""
    by_part = {(placed.review.kind, placed.review.part): placed for placed in reviews}
    # A pin that appears in several files counts once, but each of its versions counts.
    single = {(pin.kind, pin.name, pin.version): pin for pin in reversed(found)}
    for pin in reversed(single.values()):
        yield _resource(pin, by_part.get((pin.kind, pin.name)), today, pinned=True)
    known = {(pin.kind, pin.name) for pin in found}
    for (kind, name), placed in by_part.items():
        if (kind, name) not in known:
            yield _resource(Pin(kind, name, "", placed.place), placed, today, pinned=False)


def _resource(pin: Pin, placed: Placed | None, today: date, *, pinned: bool) -> Resource:
    props: dict[str, Any] = {"ecosystem": pin.kind, "version": pin.version, "pinned": pinned}
    if placed:
        age = (today - placed.review.reviewed).days
        props |= {"reviewedVersion": placed.review.version, "ageDays": age, "reviewPlace": placed.place}
    version = f"@{pin.version}" if pin.version else ""
    return Resource("pin", f"{pin.kind}:{pin.name}{version}", props, place=pin.place)


def of_repository(
    root: Path, rules: Collection[str], today: date, issues: list[Issue]
) -> tuple[Resource, ...]:
    """All pins of the repository with their reviews; empty when it has no pins."""
    found = pins(root)
    return tuple(resources(found, load(root, rules, issues), today)) if found else ()
