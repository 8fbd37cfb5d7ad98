"""JUnit XML: one case per rule and resource, valid by the strictest schema in use (Jenkins')."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.reports.junit import junit

NOW = datetime(2027, 3, 1, 12, 30, 45, tzinfo=UTC)
# Element → attributes that must be there, attributes that may, and children.
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname"},
        {"time", "assertions", "status"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"message"}, set()),
}


@pytest.fixture
def root(faulty: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit(faulty, 1.0, NOW).encode())


def suite(root: ElementTree.Element) -> ElementTree.Element:
    (found,) = root
    return found


def test_every_element_is_one_that_viewers_know(root: ElementTree.Element) -> None:
    assert root.tag == "testsuites"
    for element in root.iter():
        required, allowed, children = SCHEMA[element.tag]
        assert required <= set(element.attrib) <= required | allowed
        assert {child.tag for child in element} <= children


def test_a_case_has_one_verdict(root: ElementTree.Element) -> None:
    assert all(len(case) <= 1 for case in suite(root).findall("testcase"))


def test_no_case_is_there_twice(root: ElementTree.Element) -> None:
    """Viewers keep only one of two cases with the same name."""
    names = [(case.attrib["classname"], case.attrib["name"]) for case in suite(root).findall("testcase")]
    assert len(set(names)) == len(names)


def test_it_counts_its_cases(root: ElementTree.Element) -> None:
    found = suite(root)
    assert int(found.attrib["tests"]) == len(found.findall("testcase"))
    assert int(found.attrib["failures"]) == len(found.findall("testcase/failure")) == 3
    assert int(found.attrib["skipped"]) == len(found.findall("testcase/skipped")) == 2
    assert {key: root.attrib[key] for key in ("tests", "failures", "errors")} == {
        key: found.attrib[key] for key in ("tests", "failures", "errors")
    }


def test_times_are_numbers_and_a_timestamp(root: ElementTree.Element) -> None:
    assert all(float(element.attrib["time"]) >= 0 for element in root.iter() if "time" in element.attrib)
    assert suite(root).attrib["timestamp"] == "2027-03-01T12:30:45"


def test_a_failure_says_resource_fault_and_fix(root: ElementTree.Element) -> None:
    texts = [failure.text or "" for failure in root.iter("failure")]
    assert any(text.startswith("aidc-test-vault: privileged is set. Fix: ") for text in texts)


def test_it_says_its_encoding(faulty: Report) -> None:
    assert junit(faulty, 1.0, NOW).startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')


def test_it_survives_control_characters(plant: Any) -> None:
    plant["vault"].update(name="aidc-test-\x00<&", privileged=True)
    report = evaluate(plant.stack(), RULES, (), {}, date(2027, 3, 1))
    ElementTree.fromstring(junit(report, 1.0, NOW).encode())


def test_it_holds_no_secret(faulty: Report) -> None:
    assert "hunter2" not in junit(faulty, 1.0, NOW)
