"""A report as JUnit XML. Pure: text out, nothing written.

Only elements and attributes that the strict schemas of viewers (above all Jenkins') allow.
"""

from __future__ import annotations

import re
from datetime import datetime
from xml.etree import ElementTree

from policies.evaluate import Outcome, Report
from policies.reports.report import WAIVERS_RULE

SUITE = "aidc-policies"


def junit(report: Report, seconds: float, when: datetime) -> str:
    """One test case per rule and resource; an advisory or waived fault counts as skipped, with the reason."""
    suite = ElementTree.Element("testsuite", name=SUITE)
    cases: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in report.outcomes:
        cases.setdefault((outcome.rule.name, outcome.resource), []).append(outcome)
    for (rule, resource), outcomes in cases.items():
        _rule_case(_case(suite, rule, resource), outcomes)
    if not report.waiver_issues:
        _case(suite, WAIVERS_RULE, "all waivers")
    for issue in report.waiver_issues:
        _failure(_case(suite, WAIVERS_RULE, issue.place), WAIVERS_RULE, issue.sentence)
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("*/failure")),
        "errors": 0,
    }
    for key, value in counts.items():
        suite.set(key, str(value))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    suite.set("time", f"{seconds:.3f}")
    suite.set("timestamp", when.strftime("%Y-%m-%dT%H:%M:%S"))
    # The root element has no attribute `skipped`.
    totals = {key: str(value) for key, value in counts.items()}
    suites = ElementTree.Element("testsuites", {"name": SUITE, "time": f"{seconds:.3f}"} | totals)
    suites.append(suite)
    ElementTree.indent(suites, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def _case(suite: ElementTree.Element, rule: str, name: str) -> ElementTree.Element:
    # Not timed: a rule takes microseconds.
    return ElementTree.SubElement(
        suite, "testcase", classname=f"{SUITE}.{rule}", name=_xml(name), time="0.000"
    )


def _rule_case(case: ElementTree.Element, outcomes: list[Outcome]) -> None:
    failed = [o for o in outcomes if o.status == "failed" and o.level == "mandatory"]
    others = [o for o in outcomes if o.status != "passed"]
    if failed:
        _failure(case, failed[0].rule.name, "\n".join(o.message for o in failed))
    elif others:
        why = (f"waived: {o.waiver.reason}" if o.waiver else f"advisory: {o.fault}" for o in others)
        ElementTree.SubElement(case, "skipped", message=_xml("; ".join(why)))


def _failure(case: ElementTree.Element, rule: str, text: str) -> None:
    text = _xml(text)
    ElementTree.SubElement(case, "failure", type=rule, message=text.partition("\n")[0]).text = text


def _xml(text: str) -> str:
    """Without the control characters that XML 1.0 does not allow."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)
