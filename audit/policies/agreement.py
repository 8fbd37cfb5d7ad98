"""The same rules on the plan, on the exported state and on what runs: all three must agree. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audit.engine.names import stem
from audit.records import RuleRecord, RuleStatus, SourceStatus
from audit.verdicts import Row, judged, plural
from policies.evaluate import Report
from policies.rule import Rule

NAMES: Mapping[str, str] = {"plan": "the plan", "state": "the exported state", "live": "what runs"}


@dataclass(frozen=True)
class Side:
    """One source: its report, and the names of all resources that it holds."""

    report: Report
    resources: frozenset[str]

    def having(self, status: str) -> dict[str, set[str]]:
        """Rule → resources with that status, by names that all sources share."""
        found: dict[str, set[str]] = {}
        for outcome in self.report.outcomes:
            if outcome.status == status:
                found.setdefault(outcome.rule.name, set()).add(stem(outcome.resource))
        return found


def table(rules: Iterable[Rule], sides: Mapping[str, Side]) -> list[RuleRecord]:
    """One record per rule: its status on each source, and where they disagree."""
    failed = {source: side.having("failed") for source, side in sides.items()}
    waived = {source: side.having("waived") for source, side in sides.items()}
    levels = {o.rule.name: o.level for side in sides.values() for o in side.report.outcomes}
    return [
        RuleRecord(
            rule=rule.name,
            severity=rule.severity,
            level=levels.get(rule.name, rule.level),
            description=rule.description,
            sources={
                source: SourceStatus(
                    status=_status(rule.name, failed[source], waived[source]),
                    failed=sorted(failed[source].get(rule.name, ())),
                    waived=sorted(waived[source].get(rule.name, ())),
                )
                for source in sides
            },
            disagreements=disagreements(rule.name, failed, sides),
        )
        for rule in rules
    ]


def _status(rule: str, failed: Mapping[str, set[str]], waived: Mapping[str, set[str]]) -> RuleStatus:
    return "failed" if failed.get(rule) else "waived" if waived.get(rule) else "passed"


def disagreements(
    rule: str, failed: Mapping[str, Mapping[str, set[str]]], sides: Mapping[str, Side]
) -> list[str]:
    """Resources that break a rule on one source and keep it on another.

    A resource that a source does not have at all is a matter of drift and is not counted here.
    """
    there = {source: {stem(name) for name in side.resources} for source, side in sides.items()}
    everywhere = set().union(*there.values())
    found = []
    for resource in sorted(set().union(*(failed[s].get(rule, set()) for s in sides))):
        sees = [s for s in sides if resource not in everywhere or resource in there[s]]
        breaks = [s for s in sees if resource in failed[s].get(rule, set())]
        keeps = [s for s in sees if s not in breaks]
        if breaks and keeps:
            found.append(f"{resource}: broken on {_names(breaks)}, kept on {_names(keeps)}")
    return found


def _names(sources: Iterable[str]) -> str:
    return " and ".join(NAMES[source] for source in sources)


def rows(entries: Iterable[RuleRecord], sides: Mapping[str, Side]) -> list[Row]:
    """One row per source, and one on whether they agree."""
    made = [_source(source, side.report) for source, side in sides.items()]
    apart = [f"{entry.rule}: {text}" for entry in entries for text in entry.disagreements]
    agreed = judged(
        "plan, state and live agree",
        apart,
        f"{plural(len(list(sides)), 'source')} agree on every rule",
        plural(len(apart), "disagreement"),
        "find what changed the resource outside Pulumi (see drift), or the rule that cannot see it",
    )
    return [*made, agreed]


def _source(source: str, report: Report) -> Row:
    broken = sorted({f"{o.rule.name} ({stem(o.resource)})" for o in report.violations})
    advisory, waived = len(report.having("failed", "advisory")), len(report.having("waived"))
    checks = plural(len(report.outcomes), "check")
    good = f"{checks}: no mandatory violation, {advisory} advisory, {waived} waived"
    bad = plural(len(broken), "mandatory violation")
    return judged(f"policies on {NAMES[source]}", broken, good, bad, "make policy names each fix")
