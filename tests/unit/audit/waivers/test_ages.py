"""Waivers: age from the file's history, days left, and the verdict on them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from audit.waivers import ages
from components.planning.issues import Issue
from policies.settings.waivers import Waiver

TODAY = date(2026, 1, 31)
BLAME = """aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 3 3 2
author somebody
author-time 1767225600
filename policies/waivers.yaml
\t- resource: a
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 4 4
author-time 1767225600
\t  rule: b
0000000000000000000000000000000000000000 5 5 1
author-time 1769817600
\t  reason: not committed yet
"""


def waiver(days: int, line: int = 3) -> Waiver:
    return Waiver(
        "aidc-{stack}-a",
        "non-root",
        "a reason",
        "ops",
        TODAY + timedelta(days=days),
        f"policies/waivers.yaml:{line}",
    )


def issue(fault: str) -> Issue:
    return Issue("policies/waivers.yaml", fault, "…", 3)


@pytest.mark.parametrize(
    ("days", "verdict"), [(-1, "fail"), (0, "warn"), (13, "warn"), (14, "pass"), (400, "pass")]
)
def test_days_left_decide(days: int, verdict: str) -> None:
    (row,) = ages.rows(ages.aged([waiver(days)], {}, TODAY), [])
    assert row.verdict == verdict


def test_a_waiver_that_nobody_needs_fails() -> None:
    (row,) = ages.rows(ages.aged([waiver(400)], {}, TODAY), [issue("… is not used")])
    assert (row.verdict, "is not used" in row.detail) == ("fail", True)


def test_an_expired_one_is_counted_once() -> None:
    said = issue("expires: the waiver of x for y ended on 2026-01-30")
    (row,) = ages.rows(ages.aged([waiver(-1)], {}, TODAY), [said])
    assert row.detail.startswith("1 faulty")


def test_ages_come_from_the_history_of_the_line() -> None:
    since = ages.dates(BLAME)
    assert since == {3: date(2026, 1, 1), 4: date(2026, 1, 1)}
    found = ages.aged([waiver(1, 3), waiver(1, 5)], since, TODAY)
    assert [w.age for w in found] == [30, None]


def test_the_document_holds_every_waiver_in_days() -> None:
    (entry,) = ages.records(ages.aged([waiver(20)], {3: date(2026, 1, 1)}, TODAY))
    assert (entry.days_left, entry.age_days, entry.expires) == (20, 30, date(2026, 2, 20))


def test_no_waiver_is_fine() -> None:
    assert ages.rows([], [])[0].verdict == "pass"
