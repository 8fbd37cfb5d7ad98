"""A report as SARIF 2.1.0, in the subset that GitHub code scanning shows. Pure: text out, nothing written.

Faults of one rule at one line are one result: code scanning distinguishes results by rule, file and line, and
two nodes that share a line of the program would become one alert with half of its text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from components.planning.issues import Issue
from policies.evaluate import Outcome
from policies.reports.report import WAIVERS_DESCRIPTION, WAIVERS_FIX, WAIVERS_RULE, Located, place_of
from policies.rule import Rule

TOOL, VERSION = "aidc-policies", "1.0.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# Code scanning sorts alerts by this number: above 9 critical, 7 high, 4 medium, 0 low.
SECURITY_SEVERITY = {"low": "2.0", "medium": "5.0", "high": "8.0", "critical": "9.5"}
SARIF_LEVEL = {"mandatory": "error", "advisory": "warning"}
RULES_PAGE = "docs/policies.md"


def sarif(found: Located, rules: tuple[Rule, ...], stack: str, source: str, *, waived: bool = True) -> str:
    """What failed and, unless `waived` is false, what is waived, with its waiver as a suppression."""
    index = {rule.name: position for position, rule in enumerate(rules)}
    results = [
        _result(place, index[outcomes[0].rule.name], outcomes)
        for place, outcomes in found.groups
        if waived or not outcomes[0].waiver
    ]
    results += [_waiver_result(issue, len(rules)) for issue in found.waiver_issues]
    driver = {
        "name": TOOL,
        "semanticVersion": VERSION,
        "rules": [*(_descriptor(rule) for rule in rules), _waiver_descriptor()],
    }
    run = {
        "tool": {"driver": driver},
        # A separate run for each stack and source: code scanning keeps their alerts apart.
        "automationDetails": {"id": f"{TOOL}/{stack}/{source}"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _descriptor(rule: Rule) -> dict[str, Any]:
    sections = [f"CIS-Docker-1.6.0-{section}" for section in rule.cis]
    known = f" CIS Docker Benchmark 1.6.0: {', '.join(rule.cis)}." if rule.cis else ""
    text = f"{rule.description} Fix: {rule.remediation}.{known}"
    markdown = (
        f"{rule.description}\n\n**Fix:** {rule.remediation}.\n\n{known.strip()}\n\n"
        f"All rules and waivers: `{RULES_PAGE}`."
    )
    return {
        "id": rule.name,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": rule.description},
        "help": {"text": text, "markdown": markdown.replace("\n\n\n\n", "\n\n")},
        "defaultConfiguration": {"level": SARIF_LEVEL[rule.level]},
        "properties": {
            "tags": ["security", *sections, *rule.also],
            "precision": "very-high",
            "problem.severity": SARIF_LEVEL[rule.level],
            "security-severity": SECURITY_SEVERITY[rule.severity],
        },
    }


def _waiver_descriptor() -> dict[str, Any]:
    return {
        "id": WAIVERS_RULE,
        "name": "WaiversCurrent",
        "shortDescription": {"text": WAIVERS_DESCRIPTION},
        "fullDescription": {"text": WAIVERS_DESCRIPTION},
        "help": {"text": WAIVERS_FIX, "markdown": WAIVERS_FIX},
        "defaultConfiguration": {"level": "error"},
        "properties": {
            "tags": ["security"],
            "precision": "very-high",
            "problem.severity": "error",
            "security-severity": SECURITY_SEVERITY["medium"],
        },
    }


def _result(place: tuple[str, int], rule_index: int, outcomes: tuple[Outcome, ...]) -> dict[str, Any]:
    first = outcomes[0]
    by_resource = {outcome.resource: outcome.urn for outcome in outcomes}
    result: dict[str, Any] = {
        "ruleId": first.rule.name,
        "ruleIndex": rule_index,
        "kind": "fail",
        # A waived fault does not fail the run: tools that count errors look at the level alone.
        "level": "note" if first.waiver else SARIF_LEVEL[first.level],
        "message": {"text": Located.message(outcomes)},
        "locations": [_location(*place) | {"logicalLocations": _logical(by_resource)}],
        # Independent of the line: an edit above it creates no new result. Code scanning adds its own hash.
        "partialFingerprints": {"resourceFault/v1": _digest(first.rule.name, *map(_essence, outcomes))},
    }
    if first.waiver:
        waiver = first.waiver
        reason = f"{waiver.reason} ({waiver.owner}, until {waiver.expires}; {waiver.place})"
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


def _logical(by_resource: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "kind": "resource"} | ({"fullyQualifiedName": urn} if urn else {})
        for name, urn in by_resource.items()
    ]


def _waiver_result(issue: Issue, rule_index: int) -> dict[str, Any]:
    without_place = f"{issue.fault}. Fix: {issue.fix}"
    return {
        "ruleId": WAIVERS_RULE,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": "error",
        "message": {"text": issue.sentence},
        "locations": [_location(*place_of(issue))],
        "partialFingerprints": {"resourceFault/v1": _digest(WAIVERS_RULE, without_place)},
    }


def _location(uri: str, line: int) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _essence(outcome: Outcome) -> str:
    """Resource and fault, without the line number at the start of a build file's fault."""
    return f"{outcome.resource}: {re.sub(r'^line [0-9]+: ', '', outcome.fault)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
