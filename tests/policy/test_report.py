"""The reports: SARIF 2.1.0, JUnit and annotations, with every fault and no secret."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from policies import report as reports
from policies import waivers
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate

TODAY = date(2027, 3, 1)
WAIVERS = """
- resource: aidc-{stack}-backup
  rule: no-privileged
  reason: Needed while the test is running, and no longer.
  owner: platform-security
  expires: 2027-03-01
- resource: aidc-{stack}-vault
  rule: no-host-pid
  reason: Nobody needs this one any more, so it has to go.
  owner: platform-security
  expires: 2027-03-01
"""


@pytest.fixture
def report(plant: Any, tmp_path: Path) -> Report:
    """One mandatory fault, one advisory, one waived, one unused waiver; a secret nearby."""
    plant["vault"].update(privileged=True, envs=["ROOT_PASSWORD=hunter2"])
    del plant["store"]["cpus"]
    plant["backup"]["privileged"] = True
    file = tmp_path / "waivers.yaml"
    file.write_text(WAIVERS, encoding="utf-8")
    return evaluate(plant.stack(), RULES, waivers.load(NAMES, file), {}, TODAY)


@pytest.fixture
def sarif(report: Report) -> Any:
    return json.loads(reports.sarif(report, RULES, "test", "plan"))


def test_sarif_has_the_required_shape(sarif: Any) -> None:
    """The constraints of the SARIF 2.1.0 schema on what is written here."""
    assert sarif["version"] == "2.1.0"
    (run,) = sarif["runs"]
    driver = run["tool"]["driver"]
    rules = driver["rules"]
    assert driver["name"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["kind"] == "fail"
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        for location in result["locations"]:
            physical = location["physicalLocation"]
            assert not physical["artifactLocation"]["uri"].startswith("/")
            assert physical["region"]["startLine"] >= 1
            for logical in location.get("logicalLocations", ()):
                assert set(logical) <= {"name", "fullyQualifiedName", "kind"}
        for suppression in result.get("suppressions", ()):
            assert suppression["kind"] in ("inSource", "external")
            assert suppression["justification"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())


def test_sarif_is_valid_by_its_schema(sarif: Any) -> None:
    """The published JSON schema as strict models; the shape above is checked even without the package."""
    model = pytest.importorskip("pydantic_sarif.model")
    model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(sarif)


def test_sarif_holds_every_fault(sarif: Any) -> None:
    found = {(r["ruleId"], r["level"], "suppressions" in r) for r in sarif["runs"][0]["results"]}
    assert found == {
        ("no-privileged", "error", False),
        ("no-privileged", "error", True),
        ("no-secret-env", "error", False),
        ("cpu-limit", "warning", False),
        ("waivers-current", "error", False),
    }


def test_fingerprints_are_stable_and_distinct(report: Report) -> None:
    one, two = (json.loads(reports.sarif(report, RULES, "test", "plan")) for _ in range(2))
    assert one == two
    prints = [r["partialFingerprints"]["resourceFault/v1"] for r in one["runs"][0]["results"]]
    assert len(set(prints)) == len(prints)


def test_junit_counts_its_cases(report: Report) -> None:
    suite = ElementTree.fromstring(reports.junit(report, 1.0)).find("testsuite")
    assert suite is not None
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) == 3
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped")) == 2


def test_junit_survives_control_characters(plant: Any) -> None:
    plant["vault"].update(name="aidc-test-\x00<&", privileged=True)
    report = evaluate(plant.stack(), RULES, (), {}, TODAY)
    ElementTree.fromstring(reports.junit(report, 1.0))


def test_annotations_are_one_line_each(report: Report) -> None:
    lines = list(reports.github(report, "test"))
    assert len(lines) == 4
    assert all(line.startswith(("::error file=", "::warning file=")) and "\n" not in line for line in lines)


def test_no_report_holds_a_secret(report: Report) -> None:
    texts = (
        reports.sarif(report, RULES, "test", "plan"),
        reports.junit(report, 1.0),
        *reports.github(report, "test"),
    )
    assert not any("hunter2" in text for text in texts)


def test_the_summary_counts(report: Report) -> None:
    line = reports.summary(report, len(RULES), 17, "test", "plan")
    assert line.startswith("policy FAILED: stack test (plan)")
    assert "17 resources" in line
    assert "2 mandatory, 1 advisory, 1 waived, 1 waiver faults" in line
