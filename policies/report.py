"""A report as SARIF 2.1.0, JUnit XML, GitHub annotations and a table. Pure: text out, nothing written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from rich.table import Table

from policies.evaluate import Outcome, Report
from policies.rule import Rule

TOOL, VERSION = "aidc-policies", "1.0.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
WAIVERS_RULE = "waivers-current"
WAIVERS_DESCRIPTION = "Checks whether every waiver is in force and needed."
# GitHub sorts code-scanning alerts by this number, from 0 to 10.
SECURITY_SEVERITY = {"low": "2.0", "medium": "5.0", "high": "8.0", "critical": "9.5"}
SARIF_LEVEL = {"mandatory": "error", "advisory": "warning"}


def sarif(report: Report, rules: tuple[Rule, ...], stack: str, source: str) -> str:
    """What failed and what is waived; a waived result carries its waiver as a suppression."""
    index = {rule.name: position for position, rule in enumerate(rules)}
    results = [_result(o, index[o.rule.name], stack) for o in report.outcomes if o.status != "passed"]
    results += [_waiver_result(fault, len(rules)) for fault in report.waiver_faults]
    driver = {
        "name": TOOL,
        "semanticVersion": VERSION,
        "rules": [*(_descriptor(rule) for rule in rules), _waiver_descriptor()],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{TOOL}/{stack}/{source}"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _descriptor(rule: Rule) -> dict[str, Any]:
    tags = ["security", *(f"CIS-Docker-1.6.0-{section}" for section in rule.cis), *rule.also]
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.description},
        "help": {"text": f"{rule.remediation}."},
        "defaultConfiguration": {"level": SARIF_LEVEL[rule.level]},
        "properties": {"tags": tags, "security-severity": SECURITY_SEVERITY[rule.severity]},
    }


def _waiver_descriptor() -> dict[str, Any]:
    return {
        "id": WAIVERS_RULE,
        "shortDescription": {"text": WAIVERS_DESCRIPTION},
        "help": {"text": "Remove the waiver, or have its owner renew it."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(outcome: Outcome, rule_index: int, stack: str) -> dict[str, Any]:
    logical = {"name": outcome.resource, "kind": "resource"}
    if outcome.urn:
        logical["fullyQualifiedName"] = outcome.urn
    result: dict[str, Any] = {
        "ruleId": outcome.rule.name,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": SARIF_LEVEL[outcome.level],
        "message": {"text": outcome.message},
        "locations": [_location(f"Pulumi.{stack}.yaml", 1) | {"logicalLocations": [logical]}],
        "partialFingerprints": {
            "resourceFault/v1": _digest(outcome.rule.name, outcome.resource, outcome.fault)
        },
    }
    if outcome.waiver:
        waiver = outcome.waiver
        reason = f"{waiver.reason} ({waiver.owner}, until {waiver.expires}; {waiver.place})"
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


def _waiver_result(fault: str, rule_index: int) -> dict[str, Any]:
    place = re.match(r"(?P<file>[^:]+):(?P<line>\d+): ", fault)
    return {
        "ruleId": WAIVERS_RULE,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": "error",
        "message": {"text": fault},
        "locations": [_location(place["file"], int(place["line"]))] if place else [],
        "partialFingerprints": {"resourceFault/v1": _digest(WAIVERS_RULE, fault)},
    }


def _location(uri: str, line: int) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def junit(report: Report, seconds: float) -> str:
    """One test case for each rule and resource; an advisory or a waived fault is skipped, with the reason."""
    suite = ElementTree.Element("testsuite", name=TOOL, time=f"{seconds:.3f}")
    counts = {"tests": 0, "failures": 0, "skipped": 0, "errors": 0}
    cases: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in report.outcomes:
        cases.setdefault((outcome.rule.name, outcome.resource), []).append(outcome)
    for (rule, resource), found in cases.items():
        counts["tests"] += 1
        case = ElementTree.SubElement(suite, "testcase", classname=f"{TOOL}.{rule}", name=_xml(resource))
        outcomes = [outcome for outcome in found if outcome.status != "passed"]
        failed = [o for o in outcomes if o.status == "failed" and o.level == "mandatory"]
        if failed:
            counts["failures"] += 1
            text = _xml("\n".join(o.message for o in failed))
            ElementTree.SubElement(case, "failure", type=rule, message=text.partition("\n")[0]).text = text
        elif outcomes:
            counts["skipped"] += 1
            why = "; ".join(
                f"waived: {o.waiver.reason}" if o.waiver else f"advisory: {o.fault}" for o in outcomes
            )
            ElementTree.SubElement(case, "skipped", message=_xml(why))
    for fault in report.waiver_faults or ("",):
        counts["tests"] += 1
        name = fault.partition(": ")[0] or "all waivers"
        case = ElementTree.SubElement(suite, "testcase", classname=f"{TOOL}.{WAIVERS_RULE}", name=_xml(name))
        if fault:
            counts["failures"] += 1
            ElementTree.SubElement(case, "failure", type=WAIVERS_RULE, message=_xml(fault))
    for key, count in counts.items():
        suite.set(key, str(count))
    suites = ElementTree.Element("testsuites", suite.attrib)
    suites.append(suite)
    ElementTree.indent(suites, " ")
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)


def github(report: Report, stack: str) -> Iterator[str]:
    """Workflow commands by which GitHub Actions marks each fault."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    for outcome in report.having("failed"):
        level, where = SARIF_LEVEL[outcome.level], f"file=Pulumi.{stack}.yaml,line=1"
        yield f"::{level} {where},title={outcome.rule.name}::{data(outcome.message)}"
    for fault in report.waiver_faults:
        yield f"::error file=policies/waivers.yaml,title={WAIVERS_RULE}::{data(fault)}"


def table(report: Report) -> Table | None:
    """Faults, one row for each rule and fault with the resources that share it; None where there are none."""
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in (*report.having("failed", "mandatory"), *report.having("failed", "advisory")):
        rows.setdefault((outcome.rule.name, outcome.fault), []).append(outcome)
    for outcome in report.having("waived"):
        rows.setdefault((outcome.rule.name, f"{outcome.fault} (waived)"), []).append(outcome)
    if not rows and not report.waiver_faults:
        return None
    drawn = Table("rule", "severity", "verdict", "resource", "fault", "fix", show_lines=False)
    for (name, fault), outcomes in rows.items():
        first = outcomes[0]
        verdict = "waived" if first.waiver else first.level
        style = {"mandatory": "red", "advisory": "yellow", "waived": "dim"}[verdict]
        where = "\n".join(dict.fromkeys(o.resource for o in outcomes))
        fix = f"until {first.waiver.expires}" if first.waiver else first.rule.remediation
        drawn.add_row(
            name, first.rule.severity, verdict, where, fault.removesuffix(" (waived)"), fix, style=style
        )
    for fault in report.waiver_faults:
        drawn.add_row(WAIVERS_RULE, "medium", "mandatory", "policies/waivers.yaml", fault, "", style="red")
    return drawn


def summary(report: Report, rules: int, resources: int, stack: str, source: str) -> str:
    """One line: how much was checked, and what came of it."""
    counts = (
        f"{len(report.violations)} mandatory, {len(report.having('failed', 'advisory'))} advisory, "
        f"{len(report.having('waived'))} waived, {len(report.waiver_faults)} waiver faults"
    )
    verdict = "passed" if report.passed else "FAILED"
    return (
        f"policy {verdict}: stack {stack} ({source}), {rules} rules, {len(report.outcomes)} checks "
        f"on {resources} resources: {counts}"
    )
