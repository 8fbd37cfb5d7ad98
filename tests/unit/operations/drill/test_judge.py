"""The levels of a drill: what was not shown fails, and every difference is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from operations.documents import Drill, DrillModel
from operations.drill.archived import Archived
from operations.drill.judge import judge

STARTED = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NO_LOG = Archived()
TABLES = {"tracking": {"tracking.runs": {"rows": 3, "digest": "17"}}}
OBJECTS: dict[str, Any] = {
    "snapshot": "ab" * 32,
    "taken": "2026-01-31T11:55:00.123456789Z",
    "objects": 4,
    "different": 0,
    "unreadable_then": 0,
    "faults": [],
    "databases": TABLES,
}


def judged(
    objects: dict[str, Any] = OBJECTS,
    databases: dict[str, Any] = TABLES,
    archive: Archived = NO_LOG,
    models: Sequence[DrillModel] = (),
) -> Drill:
    came_back = databases if "fault" in databases else {"databases": databases, "champions": []}
    return judge(objects, came_back, archive, models, started=STARTED, seconds=12.34)


def levels(drill: Drill) -> list[bool]:
    return [level.passed for level in drill.levels]


def test_what_came_back_as_it_was_saved_passes() -> None:
    drill = judged()
    assert drill.passed
    assert levels(drill) == [True, True, True]
    assert (drill.rpo_s, drill.rto_s, drill.compared, drill.different) == (300.0, 12.3, 7, 0)


@pytest.mark.parametrize(
    ("restored", "fault"),
    [
        ({"tracking": {"tracking.runs": {"rows": 2, "digest": "9"}}}, "2 rows (digest 9), saved 3 rows"),
        ({"tracking": {"tracking.runs": {"rows": 3, "digest": "9"}}}, "3 rows (digest 9), saved 3 rows"),
        ({"tracking": {}}, "table tracking.runs: none, saved 3 rows"),
        ({}, "database tracking: missing"),
        ({**TABLES, "other": {}}, "database other: not expected"),
    ],
)
def test_other_rows_are_named_and_fail_the_last_level(restored: dict[str, Any], fault: str) -> None:
    drill = judged(databases=restored)
    assert levels(drill) == [True, True, False]
    assert drill.different == 1
    assert fault in drill.faults[0]


def test_a_different_object_fails_the_second_level() -> None:
    drill = judged({**OBJECTS, "different": 1, "faults": ["datasets/a: missing"]})
    assert levels(drill) == [True, False, False]
    assert drill.faults == ["datasets/a: missing"]


def test_a_database_that_does_not_restore_fails_the_second_level() -> None:
    drill = judged(databases={"fault": "pg_restore: error"})
    assert levels(drill) == [True, False, False]
    assert drill.faults == ["pg_restore: error"]


def test_a_vault_that_gives_nothing_back_fails_all() -> None:
    drill = judged({"fault": "the vault has no snapshot"}, {"fault": "no snapshot to restore from"})
    assert levels(drill) == [False, False, False]
    assert (drill.rpo_s, drill.snapshot) == (None, None)
    assert drill.faults[0] == "the vault has no snapshot"


def test_a_log_that_does_not_replay_fails_the_second_level() -> None:
    drill = judged(archive=Archived(fault="segment 7 is missing"))
    assert levels(drill) == [True, False, False]
    assert drill.faults == ["database from its log: segment 7 is missing"]


def test_other_rows_from_the_log_fail_the_last_level() -> None:
    drill = judged(archive=Archived(differences=("database tracking from its log, table a: none",)))
    assert levels(drill) == [True, True, False]
    assert drill.different == 1


def model(outcome: Any, detail: str = "") -> DrillModel:
    return DrillModel(model="mlp", version=3, sha256="ab", outcome=outcome, against="live", detail=detail)


@pytest.mark.parametrize("outcome", ["different", "failed"])
def test_a_model_that_does_not_answer_as_the_live_one_fails_the_last_level(outcome: str) -> None:
    drill = judged(models=[model(outcome, "label 3, there 4")])
    assert levels(drill) == [True, True, False]
    assert (drill.different, drill.faults) == (1, ["model mlp, version 3: label 3, there 4"])


def test_the_last_level_says_which_models_answered() -> None:
    assert "prediction of mlp: equal (live)" in judged(models=[model("equal")]).levels[2].detail


def test_without_a_model_the_drill_says_so_and_passes() -> None:
    drill = judged()
    assert drill.passed
    assert "no model to compare" in drill.levels[2].detail
