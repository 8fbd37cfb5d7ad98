"""Waivers and levels in force: a waiver covers its fault only, until it expires, and must be needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.model import Source, connection
from policies.settings.levels import Levels
from policies.settings.waivers import Waiver

TODAY = date(2027, 3, 1)
WAIVER = Waiver(
    "aidc-{stack}-vault",
    "no-privileged",
    "Needed while the test is running.",
    "platform-security",
    TODAY,
    "w:2",
)


def check(plant: Any, *waivers: Waiver, today: date = TODAY, source: Source = "plan") -> Report:
    return evaluate(replace(plant.stack(), source=source), RULES, waivers, {}, today)


def test_a_waiver_lets_its_violation_pass(plant: Any) -> None:
    plant["vault"]["privileged"] = True
    report = check(plant, WAIVER)
    assert report.passed
    assert [(o.rule.name, o.resource) for o in report.having("waived")] == [
        ("no-privileged", "aidc-test-vault")
    ]


def sentences(report: Report) -> tuple[str, ...]:
    return tuple(issue.sentence for issue in report.waiver_issues)


def test_a_waiver_covers_no_other_resource(plant: Any) -> None:
    plant["vault"]["privileged"] = plant["store"]["privileged"] = True
    assert [o.resource for o in check(plant, WAIVER).violations] == ["aidc-test-object-store-1"]


def test_a_waiver_covers_no_other_rule(plant: Any) -> None:
    plant["vault"].update(privileged=True, networkMode="host")
    assert {o.rule.name for o in check(plant, WAIVER).violations} == {"no-host-network"}


def test_a_waiver_of_one_fault_covers_no_other_fault_of_its_rule(plant: Any) -> None:
    plant["vault"]["capabilities"]["adds"] = ["NET_RAW", "SYS_ADMIN"]
    one = replace(WAIVER, rule="no-deadly-caps", fault="capability NET_RAW")
    deadly = [o for o in check(plant, one).outcomes if o.rule.name == "no-deadly-caps" and o.fault]
    assert [(o.status, o.fault) for o in deadly] == [
        ("waived", "capability NET_RAW is added"),
        ("failed", "capability SYS_ADMIN is added"),
    ]


def test_an_expired_waiver_fails_and_waives_nothing(plant: Any) -> None:
    plant["vault"]["privileged"] = True
    report = check(plant, WAIVER, today=date(2027, 3, 2))
    assert [o.rule.name for o in report.violations] == ["no-privileged"]
    assert sentences(report) == (
        "w:2: expires: the waiver of no-privileged for aidc-test-vault ended on 2027-03-01. "
        "Fix: correct the resource and remove the waiver, or ask platform-security to renew it",
    )


def test_an_unused_waiver_fails(plant: Any) -> None:
    report = check(plant, WAIVER)
    assert not report.passed
    assert sentences(report) == (
        "w:2: rule: aidc-test-vault does not violate no-privileged in this way. Fix: remove the waiver",
    )


def test_a_waiver_for_nothing_that_exists_fails(plant: Any) -> None:
    report = check(plant, replace(WAIVER, resource="aidc-{stack}-vualt"))
    assert sentences(report) == (
        "w:2: resource: there is no aidc-test-vualt in stack test. Fix: did you mean 'aidc-test-vault'?",
    )


def test_a_connection_and_a_build_file_exist(plant: Any) -> None:
    names = (connection(plant.flows[-1]), "images/vault/Dockerfile", "vault")
    faults = sentences(check(plant, *(replace(WAIVER, resource=name, place=name) for name in names)))
    assert [fault for fault in faults if "does not violate" not in fault] == []
    assert len(faults) == len(names)


def test_a_waiver_of_another_stack_is_judged_with_that_one(plant: Any) -> None:
    plant["vault"]["privileged"] = True
    report = check(plant, replace(WAIVER, resource="aidc-prod-vault"))
    assert report.waiver_issues == ()
    assert [o.rule.name for o in report.violations] == ["no-privileged"]


@pytest.mark.parametrize("source", ["state", "live"])
def test_whether_a_waiver_is_needed_is_judged_on_the_plan(source: Source, plant: Any) -> None:
    assert check(plant, WAIVER, source=source).passed
    assert not check(plant, WAIVER, source=source, today=date(2027, 3, 2)).passed


@pytest.mark.parametrize(
    ("levels", "passed"), [({}, True), ({"cpu-limit": "mandatory"}, False), ({"cpu-limit": "advisory"}, True)]
)
def test_a_level_decides_whether_a_violation_fails(levels: Levels, passed: bool, plant: Any) -> None:
    del plant["vault"]["cpus"]
    report = evaluate(plant.stack(), RULES, (), levels, TODAY)
    assert report.passed is passed
    assert len(report.having("failed")) == 1


def test_a_mandatory_rule_may_be_made_advisory_but_still_shows(plant: Any) -> None:
    plant["vault"]["privileged"] = True
    report = evaluate(plant.stack(), RULES, (), {"no-privileged": "advisory"}, TODAY)
    assert report.passed
    assert [o.rule.name for o in report.having("failed", "advisory")] == ["no-privileged"]
