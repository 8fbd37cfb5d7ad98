"""Runs rules on resources: pure, the same for a plan, for exported state and for running containers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from components.planning.issues import Issue, suggest
from policies.model import Stack, stack_of
from policies.rule import Fault, Level, ResourceRule, Rule, StackRule
from policies.settings.levels import Levels, level_of
from policies.settings.waivers import Waiver

Status = Literal["passed", "failed", "waived"]
WHOLE_STACK = "(whole stack)"


@dataclass(frozen=True)
class Outcome:
    """One rule on one resource. A rule that finds two faults in a resource has two outcomes."""

    rule: Rule
    resource: str
    status: Status
    level: Level
    fault: str = ""
    urn: str = ""
    place: str = ""
    waiver: Waiver | None = None

    @property
    def message(self) -> str:
        return self.rule.message(self.resource, self.fault)


@dataclass(frozen=True)
class Report:
    """All outcomes, and the mistakes in the waivers themselves."""

    outcomes: tuple[Outcome, ...]
    waiver_issues: tuple[Issue, ...] = ()

    def having(self, status: Status, level: Level | None = None) -> tuple[Outcome, ...]:
        return tuple(o for o in self.outcomes if o.status == status and level in (None, o.level))

    @property
    def violations(self) -> tuple[Outcome, ...]:
        """What makes a run fail, apart from faulty waivers."""
        return self.having("failed", "mandatory")

    @property
    def passed(self) -> bool:
        return not self.violations and not self.waiver_issues


def faults(rule: Rule, stack: Stack) -> Iterator[tuple[Fault, bool]]:
    """One pair for each fault, (fault, False), and one for each clean resource, (an empty fault, True)."""
    if isinstance(rule, ResourceRule):
        for resource in stack.resources:
            if resource.kind not in rule.on:
                continue
            found = [Fault.at(resource, text) for text in rule.check(resource)]
            yield from ((fault, False) for fault in found)
            if not found:
                yield Fault.at(resource, ""), True
    elif isinstance(rule, StackRule):
        found = list(rule.check(stack))
        yield from ((fault, False) for fault in found)
        if not found:
            yield Fault(WHOLE_STACK, ""), True


def evaluate(
    stack: Stack, rules: Iterable[Rule], waivers: Sequence[Waiver], levels: Levels, today: date
) -> Report:
    """Every rule on everything that it applies to."""
    outcomes: list[Outcome] = []
    used: set[Waiver] = set()
    for rule in rules:
        for fault, clean in faults(rule, stack):
            waiver = None if clean else waiver_for(waivers, rule.name, fault, today)
            if waiver:
                used.add(waiver)
            outcomes.append(
                Outcome(
                    rule=rule,
                    resource=fault.resource,
                    status="passed" if clean else "waived" if waiver else "failed",
                    level=level_of(rule, levels),
                    fault=fault.text,
                    urn=fault.urn,
                    place=fault.place,
                    waiver=waiver,
                )
            )
    return Report(tuple(outcomes), tuple(_waiver_issues(stack, waivers, used, today)))


def waiver_for(waivers: Iterable[Waiver], rule: str, fault: Fault, today: date) -> Waiver | None:
    """The waiver in force for a fault of a rule; `{stack}` stands for the stack in the resource's name."""
    stack = stack_of(fault.resource)
    covering = (w for w in waivers if w.covers(stack, rule, fault.resource, fault.text))
    return next((waiver for waiver in covering if not waiver.expired(today)), None)


def _waiver_issues(
    stack: Stack, waivers: Iterable[Waiver], used: set[Waiver], today: date
) -> Iterator[Issue]:
    """What is wrong with the waivers in force for `stack`; those of another stack are judged with that one.

    Whether a waiver is needed is judged on the plan: state and running resources lack what some rules read.
    """
    for waiver in waivers:
        if waiver.stack and stack.name and waiver.stack != stack.name:
            continue
        resource = waiver.resource.replace("{stack}", stack.name) if stack.name else waiver.resource
        if waiver.expired(today):
            fix = f"correct the resource and remove the waiver, or ask {waiver.owner} to renew it"
            fault = f"the waiver of {waiver.rule} for {resource} ended on {waiver.expires}"
            yield Issue.at(waiver.place, "expires", fault, fix)
        elif waiver in used or stack.source != "plan":
            continue
        elif stack.name and resource not in stack.names:
            fix = suggest(resource, stack.names, "remove the waiver")
            fault = f"there is no {resource} in stack {stack.name}"
            yield Issue.at(waiver.place, "resource", fault, fix)
        else:
            fault = f"{resource} does not violate {waiver.rule} in this way"
            yield Issue.at(waiver.place, "rule", fault, "remove the waiver")
