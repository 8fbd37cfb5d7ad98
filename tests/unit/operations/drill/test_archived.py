"""The database from its log: compared at one moment, and what cannot be compared is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from operations.drill.archived import Archived, judge

STARTED = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ROWS = {"rows": 3, "digest": "17"}
MOMENT: dict[str, Any] = {
    "lsn": "0/3000090",
    "time": "2026-01-31T11:55:00+00:00",
    "facts": {"tracking": {"tracking.runs": ROWS, "tracking.cache": {**ROWS, "unlogged": True}}},
    "changed": {},
}
RESULT: dict[str, Any] = {
    "backup": "20260131-000000F",
    "moment": {"tracking": {"tracking.runs": ROWS}},
    "until": "2026-01-31T11:58:30.5+00:00",
    "seconds": {"fetch": 1.0, "replay": 2.0, "check": 0.5},
}


def judged(
    result: dict[str, Any] = RESULT,
    moment: dict[str, Any] | None = MOMENT,
    at: str | None = None,
    files: int = 9,
) -> Archived:
    return judge({"archive": {"files": files, "moment": moment}}, result, STARTED, at)


def test_the_rows_of_the_moment_came_back() -> None:
    found = judged()
    assert (found.fault, found.differences) == (None, ())
    assert found.log
    assert (found.log.rpo_s, found.log.tables, found.log.backup) == (89.5, 1, "20260131-000000F")


@pytest.mark.parametrize(
    ("restored", "fault"),
    [
        ({"tracking": {"tracking.runs": {"rows": 2, "digest": "9"}}}, "2 rows (digest 9), saved 3 rows"),
        ({"tracking": {}}, "table tracking.runs: none"),
        ({}, "database tracking from its log: missing"),
    ],
)
def test_other_rows_are_named(restored: dict[str, Any], fault: str) -> None:
    (difference,) = judged({**RESULT, "moment": restored}).differences
    assert fault in difference


def test_a_table_that_changed_at_the_moment_is_named_and_not_compared() -> None:
    moment = {**MOMENT, "changed": {"tracking": ["tracking.runs"]}}
    found = judged({**RESULT, "moment": {"tracking": {"tracking.runs": {"rows": 4, "digest": "1"}}}}, moment)
    assert found.differences == ()
    assert found.log
    assert (found.log.changed, found.log.tables) == (["tracking.tracking.runs"], 0)
    assert "1 tables changing" in found.remark


def test_an_unlogged_table_is_not_expected_from_the_log() -> None:
    assert judged().differences == ()


def test_what_failed_is_a_fault() -> None:
    assert judged({"fault": "segment 7 is missing"}).fault == "segment 7 is missing"


def test_the_newest_snapshot_has_to_hold_an_archive() -> None:
    assert "make backup" in str(judged({}, files=0).fault)


def test_a_snapshot_of_before_there_was_an_archive_says_that_it_has_none() -> None:
    found = judged({}, files=0, at="2026-01-01T00:00:00+00:00")
    assert (found.fault, found.remark) == (None, "no log")


def test_without_a_snapshot_there_is_nothing_to_say() -> None:
    assert judge({"fault": "no snapshot"}, {}, STARTED, None) == Archived()
