"""A report for people: faults with their places, GitHub annotations, a table, one line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from components.planning.issues import Issue
from policies.evaluate import Outcome, Report
from policies.sources.places import place

WAIVERS_RULE = "waivers-current"
WAIVERS_DESCRIPTION = "Checks whether every waiver is in force and needed."
WAIVERS_FIX = "Remove the waiver, or have its owner renew it."
ANNOTATIONS = {"mandatory": "error", "advisory": "warning"}

Place = tuple[str, int]


@dataclass(frozen=True)
class Located:
    """What failed or is waived, by file and line. A group shares one rule, one line and one waiver state."""

    groups: tuple[tuple[Place, tuple[Outcome, ...]], ...]
    waiver_issues: tuple[Issue, ...]

    @staticmethod
    def message(outcomes: Sequence[Outcome]) -> str:
        """Resources, faults, fix; resources that share their faults are named together."""
        by_fault: dict[str, tuple[str, ...]] = {}
        for outcome in outcomes:
            by_fault[outcome.fault] = (*by_fault.get(outcome.fault, ()), outcome.resource)
        by_names: dict[tuple[str, ...], list[str]] = {}
        for fault, names in by_fault.items():
            by_names.setdefault(names, []).append(fault)
        parts = (f"{', '.join(names)}: {', '.join(faults)}" for names, faults in by_names.items())
        return f"{'; '.join(parts)}. Fix: {outcomes[0].rule.remediation}"


def located(report: Report, stack: str, root: Path) -> Located:
    """Every fault of a report with the line below `root` on which it is to be fixed."""
    groups: dict[tuple[str, Place, bool], list[Outcome]] = {}
    for outcome in report.outcomes:
        if outcome.status != "passed":
            key = (outcome.rule.name, place(outcome, stack, root), outcome.waiver is not None)
            groups.setdefault(key, []).append(outcome)
    found = tuple((where, tuple(outcomes)) for (_, where, _), outcomes in groups.items())
    return Located(found, report.waiver_issues)


def grouping_note(found: Located) -> str:
    """Why the SARIF file holds fewer results than there are faults; empty where the numbers agree."""
    faults, places = sum(len(outcomes) for _, outcomes in found.groups), len(found.groups)
    if faults == places:
        return ""
    at = "one place" if places == 1 else f"{places} places"
    return (
        f"{faults} faults, including waived ones, at {at}: the SARIF file has one result per rule "
        "and line, with all affected resources"
    )


def place_of(issue: Issue) -> Place:
    """File and line of a mistake in the settings; the project's where no line is known."""
    return ("Pulumi.yaml", 1) if issue.line is None else (issue.path, issue.line)


def github(found: Located) -> Iterator[str]:
    """Workflow commands with which GitHub Actions annotates each fault at its line; errors come first.

    GitHub shows ten errors and ten warnings per step: another reason for groups.
    """
    failed = [(where, outcomes) for where, outcomes in found.groups if outcomes[0].status == "failed"]
    for wanted in ("mandatory", "advisory"):
        for where, outcomes in failed:
            first = outcomes[0]
            if first.level == wanted:
                yield _command(ANNOTATIONS[wanted], where, first.rule.name, Located.message(outcomes))
        if wanted == "mandatory":
            for issue in found.waiver_issues:
                yield _command("error", place_of(issue), WAIVERS_RULE, issue.sentence)


def github_settings(issues: Sequence[Issue]) -> Iterator[str]:
    """The same for mistakes in the settings themselves, because of which nothing was checked."""
    return (_command("error", place_of(issue), "policy-settings", issue.sentence) for issue in issues)


def _command(level: str, where: Place, title: str, text: str) -> str:
    """One workflow command. Line breaks and some characters have a meaning in it."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    file = data(where[0]).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} file={file},line={where[1]},title={title}::{data(text)}"


def table(report: Report) -> Table | None:
    """Faults, one row per rule and fault with the resources that share it; None when there are none."""
    rows: dict[tuple[str, str, bool], list[Outcome]] = {}
    for outcome in (*report.having("failed", "mandatory"), *report.having("failed", "advisory")):
        rows.setdefault((outcome.rule.name, outcome.fault, False), []).append(outcome)
    for outcome in report.having("waived"):
        rows.setdefault((outcome.rule.name, outcome.fault, True), []).append(outcome)
    if not rows and not report.waiver_issues:
        return None
    drawn = Table("rule", "severity", "verdict", "resource", "fault", "fix", show_lines=False)
    for (name, fault, _), outcomes in rows.items():
        first = outcomes[0]
        verdict = "waived" if first.waiver else first.level
        style = {"mandatory": "red", "advisory": "yellow", "waived": "dim"}[verdict]
        where = "\n".join(dict.fromkeys(o.resource for o in outcomes))
        fix = f"until {first.waiver.expires}" if first.waiver else first.rule.remediation
        drawn.add_row(*map(escape, (name, first.rule.severity, verdict, where, fault, fix)), style=style)
    for issue in report.waiver_issues:
        words = (WAIVERS_RULE, "medium", "mandatory", issue.place, issue.fault, issue.fix)
        drawn.add_row(*map(escape, words), style="red")
    return drawn


def summary(report: Report, rules: int, resources: int, stack: str, source: str) -> str:
    """One line: how much was checked, and with which result."""
    counts = (
        f"{len(report.violations)} mandatory, {len(report.having('failed', 'advisory'))} advisory, "
        f"{len(report.having('waived'))} waived, {len(report.waiver_issues)} waiver faults"
    )
    verdict = "passed" if report.passed else "FAILED"
    return (
        f"policy {verdict}: stack {stack} ({source}), {rules} rules, {len(report.outcomes)} checks "
        f"on {resources} resources: {counts}"
    )
