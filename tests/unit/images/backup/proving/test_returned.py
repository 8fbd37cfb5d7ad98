"""What the drill's service makes of what came back: it passes only when everything did, each way."""

from __future__ import annotations

from typing import Any

import pytest

from images.backup.keeper.proving.returned import outcome

STARTED = "2026-01-31T12:00:00+00:00"
ROWS = {"rows": 3, "digest": "17"}
TABLES = {"tracking": {"tracking.runs": ROWS}}
FEWER = {"tracking": {"tracking.runs": {"rows": 2, "digest": "9"}}}
MOMENT = {
    "lsn": "0/3000090",
    "facts": {"tracking": {"tracking.runs": ROWS, "tracking.cache": {**ROWS, "unlogged": True}}},
    "changed": {},
}
OBJECTS: dict[str, Any] = {
    "snapshot": "ab" * 32,
    "taken": "2026-01-31T11:55:00.123456789Z",
    "objects": 4,
    "different": 0,
    "faults": [],
    "databases": TABLES,
    "archive": {"files": 9, "snapshot": "ab" * 32, "moment": MOMENT},
}
DUMPS: dict[str, Any] = {"databases": TABLES, "champions": []}
LOG: dict[str, Any] = {
    "backup": "20260131-000000F",
    "moment": TABLES,
    "until": "2026-01-31T11:58:30.5+00:00",
    "seconds": {"fetch": 1.0, "replay": 2.0, "check": 0.5},
}


def test_everything_that_came_back_passes_with_its_age() -> None:
    found = outcome(OBJECTS, DUMPS, LOG, STARTED)
    assert (found["passed"], found["different"], found["faults"], found["rpo_s"]) == (True, 0, [], 300.0)
    assert (found["log"]["tables"], found["log"]["rpo_s"]) == (1, 89.5)


@pytest.mark.parametrize(
    ("objects", "dumps", "log", "fault"),
    [
        ({"different": 1, "faults": ["datasets/a: missing"]}, {}, {}, "datasets/a: missing"),
        ({}, {"databases": {}}, {}, "database tracking: missing"),
        ({}, {"databases": FEWER}, {}, "2 rows (digest 9)"),
        ({}, {}, {"moment": FEWER}, "from its log, table"),
        ({}, {}, {"moment": {}}, "database tracking from its log: missing"),
        ({"archive": {"files": 0, "moment": None}}, {}, {}, "holds no archive"),
    ],
)  # fmt: skip
def test_whatever_is_missing_or_differs_is_named(
    objects: dict[str, Any], dumps: dict[str, Any], log: dict[str, Any], fault: str
) -> None:
    found = outcome(OBJECTS | objects, DUMPS | dumps, LOG | log, STARTED)
    assert not found["passed"]
    assert fault in found["faults"][0]


def test_a_log_that_no_job_saves_is_not_missed() -> None:
    archive = {"files": 0, "moment": None, "expected": False, "snapshot": "a"}
    found = outcome(OBJECTS | {"archive": archive}, DUMPS, {}, STARTED)
    assert (found["passed"], found["faults"], found["log"]) == (True, [], None)


@pytest.mark.parametrize(
    ("objects", "dumps", "log"),
    [
        ({"fault": "no"}, {"fault": "no snapshot"}, {}),
        (OBJECTS, {"fault": "no"}, LOG),
        (OBJECTS, DUMPS, {"fault": "no"}),
    ],
)
def test_what_could_not_be_restored_fails(
    objects: dict[str, Any], dumps: dict[str, Any], log: dict[str, Any]
) -> None:
    found = outcome(objects, dumps, log, STARTED)
    assert not found["passed"]
    assert "no" in found["faults"][0]


def test_a_table_that_changed_at_the_moment_is_not_compared() -> None:
    archive = {**OBJECTS["archive"], "moment": {**MOMENT, "changed": {"tracking": ["tracking.runs"]}}}
    other = {"tracking": {"tracking.runs": {"rows": 4, "digest": "1"}}}
    found = outcome({**OBJECTS, "archive": archive}, DUMPS, {**LOG, "moment": other}, STARTED)
    assert found["passed"]
    assert found["log"]["changed"] == ["tracking.tracking.runs"]


def test_a_spoilt_model_is_a_difference() -> None:
    found = outcome(OBJECTS, DUMPS, LOG, STARTED, ("model mlp, version 1: its card did not come back",))
    assert (found["passed"], found["different"]) == (False, 1)
