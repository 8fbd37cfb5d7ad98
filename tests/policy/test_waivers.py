"""Waivers and levels: an exception holds for its rule and resource, for as long as it says, and is needed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policies import levels, waivers
from policies.catalogue import NAMES, RULES
from policies.documents import SettingsError
from policies.evaluate import Report, evaluate

TODAY = date(2027, 3, 1)
WAIVER = """
- resource: aidc-{stack}-vault
  rule: no-privileged
  reason: Needed while the test is running, and no longer.
  owner: platform-security
  expires: 2027-03-01
"""


def write(path: Path, text: str) -> Path:
    file = path / "waivers.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def check(plant: Any, text: str, path: Path, today: date = TODAY) -> Report:
    return evaluate(plant.stack(), RULES, waivers.load(NAMES, write(path, text)), {}, today)


def test_a_waiver_lets_its_violation_pass(plant: Any, tmp_path: Path) -> None:
    plant["vault"]["privileged"] = True
    report = check(plant, WAIVER, tmp_path)
    assert report.passed
    assert [(o.rule.name, o.resource) for o in report.having("waived")] == [
        ("no-privileged", "aidc-test-vault")
    ]


def test_a_waiver_covers_no_other_resource(plant: Any, tmp_path: Path) -> None:
    plant["vault"]["privileged"] = plant["store"]["privileged"] = True
    report = check(plant, WAIVER, tmp_path)
    assert [o.resource for o in report.violations] == ["aidc-test-object-store-1"]


def test_a_waiver_covers_no_other_rule(plant: Any, tmp_path: Path) -> None:
    plant["vault"].update(privileged=True, networkMode="host")
    assert {o.rule.name for o in check(plant, WAIVER, tmp_path).violations} == {"no-host-network"}


def test_an_expired_waiver_fails_and_waives_nothing(plant: Any, tmp_path: Path) -> None:
    plant["vault"]["privileged"] = True
    report = check(plant, WAIVER, tmp_path, today=date(2027, 3, 2))
    assert [o.rule.name for o in report.violations] == ["no-privileged"]
    assert "expired on 2027-03-01" in report.waiver_faults[0]


def test_an_unused_waiver_fails(plant: Any, tmp_path: Path) -> None:
    report = check(plant, WAIVER, tmp_path)
    assert not report.passed
    assert report.waiver_faults == (
        f"{tmp_path.name}/waivers.yaml:2: the waiver of no-privileged for aidc-{{stack}}-vault is not used. "
        "Fix: remove it",
    )


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (WAIVER.replace("no-privileged", "no-such-rule"), "2: there is no rule 'no-such-rule'"),
        (WAIVER.replace("2027-03-01", "soon"), "2: 'expires' should be a date, such as 2027-01-31"),
        (WAIVER.replace("2027-03-01", "2027-03-01 12:00:00"), "2: 'expires' should be a date"),
        (WAIVER.replace("{stack}-vault", "*"), "2: 'resource' takes no wildcards"),
        (WAIVER.replace("  owner: platform-security\n", ""), "2: 'owner' is missing"),
        (WAIVER.replace("owner", "own"), "2: 'own' is no field of a waiver"),
        (
            WAIVER.replace("Needed while the test is running, and no longer.", "yes, really"),
            "2: 'reason' should",
        ),
        (WAIVER + "- just text\n", "7: expected an entry with resource, rule"),
        (WAIVER + WAIVER, "8: the same resource and rule are waived at"),
        (WAIVER + "- resource: [unclosed\n", ": this is no YAML"),
    ],
)
def test_a_malformed_waiver_is_named_with_its_line(broken: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        waivers.load(NAMES, write(tmp_path, broken))
    assert f"{tmp_path.name}/waivers.yaml:" in str(error.value)
    assert problem in str(error.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    broken = WAIVER.replace("no-privileged", "no-such-rule").replace("2027-03-01", "soon") + "- text\n"
    with pytest.raises(SettingsError) as error:
        waivers.load(NAMES, write(tmp_path, broken))
    assert len(error.value.problems) == 3


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n"])
def test_no_waivers_are_fine(text: str, tmp_path: Path) -> None:
    assert waivers.load(NAMES, write(tmp_path, text)) == ()


def test_a_level_is_overridden_for_one_stack(plant: Any, tmp_path: Path) -> None:
    file = write(tmp_path, "prod: {cpu-limit: mandatory}\ndev: {}\n")
    del plant["vault"]["cpus"]
    strict, lax = (levels.load(stack, NAMES, file) for stack in ("prod", "dev"))
    assert not evaluate(plant.stack(), RULES, (), strict, TODAY).passed
    assert evaluate(plant.stack(), RULES, (), lax, TODAY).passed


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("prod: {no-such-rule: mandatory}\n", "waivers.yaml:1: there is no rule 'no-such-rule'"),
        ("dev: {}\nprod: {cpu-limit: off}\n", "waivers.yaml:2: the level of 'cpu-limit' should be"),
        ("prod: strict\n", "waivers.yaml:1: 'prod' should be a map"),
    ],
)
def test_malformed_levels_are_named_with_their_line(broken: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        levels.load("dev", NAMES, write(tmp_path, broken))
    assert problem in str(error.value)
