"""SARIF 2.1.0: valid by the published schema, and in the form that GitHub code scanning accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from components.planning.flows import FLOWS, LISTENS
from components.planning.paths import ROOT
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate
from policies.model import Stack
from policies.reports import report as reports
from policies.reports.sarif import sarif
from policies.settings import bundle
from policies.sources import stacks

TODAY = date(2026, 12, 1)


def document(report: Report, stack: str = "test", *, waived: bool = True) -> Any:
    return json.loads(sarif(reports.located(report, stack, ROOT), RULES, stack, "plan", waived=waived))


@pytest.fixture
def written(faulty: Report) -> Any:
    return document(faulty)


@pytest.fixture(scope="module")
def committed() -> Any:
    """The document of the committed stack, which has advisory and waived faults."""
    in_force = bundle.load("dev", NAMES)
    stack = Stack(stacks.plan("dev"), FLOWS, LISTENS, "dev")
    return document(evaluate(stack, RULES, in_force.waivers, in_force.levels, TODAY), "dev")


def test_it_is_valid_by_the_schema(written: Any) -> None:
    Schema.model_validate(written)


def test_that_of_the_committed_stack_is_valid_by_the_schema(committed: Any) -> None:
    Schema.model_validate(committed)
    assert len(committed["runs"][0]["results"]) > 10


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["results"][0].pop("message"),
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0].update(severity="high"),
        lambda run: run["tool"]["driver"]["rules"][0].pop("id"),
        lambda run: run["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
        lambda run: run["tool"]["driver"].update(semanticVersion=1),
    ],
)
def test_the_schema_refuses_what_is_not_valid(spoil: Callable[[Any], object], written: Any) -> None:
    spoil(written["runs"][0])
    with pytest.raises(ValidationError):
        Schema.model_validate(written)


def test_it_holds_every_fault(written: Any) -> None:
    found = [(r["ruleId"], r["level"], "suppressions" in r) for r in written["runs"][0]["results"]]
    assert sorted(found) == [
        ("cpu-limit", "warning", False),
        ("no-privileged", "error", False),
        ("no-privileged", "note", True),
        ("no-secret-env", "error", False),
        ("waivers-current", "error", False),
    ]


def test_waived_faults_may_be_left_out(faulty: Report) -> None:
    results = document(faulty, waived=False)["runs"][0]["results"]
    assert len(results) == 4
    assert not any("suppressions" in result for result in results)


def test_a_waived_fault_says_why_and_until_when(written: Any) -> None:
    (waived,) = [r for r in written["runs"][0]["results"] if "suppressions" in r]
    (suppression,) = waived["suppressions"]
    assert suppression["kind"] == "external"
    assert "Needed while the test is running" in suppression["justification"]
    assert "2027-03-01" in suppression["justification"]


@pytest.mark.parametrize("which", ["written", "committed"])
def test_every_result_is_at_a_line_that_exists(which: str, request: pytest.FixtureRequest) -> None:
    for result in request.getfixturevalue(which)["runs"][0]["results"]:
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        uri, number = physical["artifactLocation"]["uri"], physical["region"]["startLine"]
        assert not uri.startswith(("/", ".", "file:"))
        assert number <= len((ROOT / uri).read_text(encoding="utf-8").splitlines()), uri


def test_a_result_names_the_resources_that_share_its_line(committed: Any) -> None:
    results = committed["runs"][0]["results"]
    (nodes,) = [r for r in results if "aidc-dev-compute-node1" in r["message"]["text"]]
    names = [logical["name"] for logical in nodes["locations"][0]["logicalLocations"]]
    assert names == ["aidc-dev-compute-node1", "aidc-dev-compute-node2"]
    assert all(name in nodes["message"]["text"] for name in names)


def test_code_scanning_can_tell_all_results_apart(committed: Any) -> None:
    """It identifies results by rule, file and line."""
    places = [
        (r["ruleId"], json.dumps(r["locations"][0]["physicalLocation"]))
        for r in committed["runs"][0]["results"]
    ]
    assert len(set(places)) == len(places)


def test_fingerprints_are_stable_and_distinct(faulty: Report) -> None:
    one, two = document(faulty), document(faulty)
    assert one == two
    prints = [r["partialFingerprints"]["resourceFault/v1"] for r in one["runs"][0]["results"]]
    assert len(set(prints)) == len(prints)


def test_results_point_at_their_rules(written: Any) -> None:
    run = written["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [*(rule.name for rule in RULES), "waivers-current"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])


def test_every_rule_has_what_code_scanning_shows(written: Any) -> None:
    for rule in written["runs"][0]["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"] == rule["fullDescription"]["text"]
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert "Fix: " in rule["help"]["text"] or rule["id"] == "waivers-current"
        assert rule["help"]["markdown"]
        properties = rule["properties"]
        assert 0.0 < float(properties["security-severity"]) <= 10.0
        assert properties["precision"] in ("very-high", "high", "medium", "low")
        assert "security" in properties["tags"]
        assert len(properties["tags"]) <= 20


def test_severity_is_that_of_the_rule(written: Any) -> None:
    """Code scanning calls a number above 9 critical, from 7 high, from 4 medium, below low."""
    rules = {rule["id"]: rule["properties"] for rule in written["runs"][0]["tool"]["driver"]["rules"]}
    for rule in RULES:
        number = float(rules[rule.name]["security-severity"])
        shown = "critical" if number >= 9 else "high" if number >= 7 else "medium" if number >= 4 else "low"
        assert shown == rule.severity


def test_it_holds_no_secret(faulty: Report) -> None:
    assert "hunter2" not in json.dumps(document(faulty))
