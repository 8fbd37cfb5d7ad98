"""A rule: its data, and a pure function from a resource, or from the whole stack, to faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal, NotRequired, TypedDict, Unpack

from policies.model import Kind, Resource, Stack

Severity = Literal["low", "medium", "high", "critical"]
Level = Literal["advisory", "mandatory"]


@dataclass(frozen=True)
class Fault:
    """One fault that a rule found; `resource`, `urn` and `place` (`file:line`) locate it."""

    resource: str
    text: str
    urn: str = ""
    place: str = ""

    @classmethod
    def at(cls, resource: Resource, text: str) -> Fault:
        return cls(resource.name, text, resource.urn, resource.place)


ResourceCheck = Callable[[Resource], Iterable[str]]
StackCheck = Callable[[Stack], Iterable[Fault]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`cis` are sections of the CIS Docker Benchmark 1.6.0; `also` are ids in other catalogues."""

    name: str
    description: str
    severity: Severity
    level: Level
    remediation: str
    cis: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def message(self, resource: str, fault: str) -> str:
        """Resource, fault, fix. Faults name settings and never hold the value of a variable or a file."""
        return f"{resource}: {fault}. Fix: {self.remediation}"


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Checks one resource of the kinds in `on`; the check yields the text of each fault."""

    on: tuple[Kind, ...]
    check: ResourceCheck


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Checks all resources together."""

    check: StackCheck


class About(TypedDict):
    """What the author of a rule states about it, besides its name and description."""

    severity: Severity
    level: Level
    fix: str
    cis: NotRequired[tuple[str, ...]]
    also: NotRequired[tuple[str, ...]]


def resource_rule(*on: Kind, **about: Unpack[About]) -> Callable[[ResourceCheck], ResourceRule]:
    """Turns a function into a rule: its name, in kebab-case, names the rule; its docstring describes it."""
    return lambda check: ResourceRule(on=on, check=check, **_data(check, about))


def stack_rule(**about: Unpack[About]) -> Callable[[StackCheck], StackRule]:
    """Like `resource_rule`, for a function of the whole stack."""
    return lambda check: StackRule(check=check, **_data(check, about))


class _Data(TypedDict):
    name: str
    description: str
    severity: Severity
    level: Level
    remediation: str
    cis: tuple[str, ...]
    also: tuple[str, ...]


def _data(check: ResourceCheck | StackCheck, about: About) -> _Data:
    return _Data(
        name=check.__name__.replace("_", "-"),
        description=" ".join(cleandoc(check.__doc__ or "").split()),
        severity=about["severity"],
        level=about["level"],
        remediation=about["fix"],
        cis=about.get("cis", ()),
        also=about.get("also", ()),
    )
