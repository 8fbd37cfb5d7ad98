"""Which drill is the newest: the service's, or one that was made by hand after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.documents import Drill, DrillModel, content
from operations.drill import newest

MADE = Drill(
    schema="aidc.drill/1",
    passed=True,
    started="2026-01-31T12:00:00+00:00",
    finished="2026-01-31T12:01:00+00:00",
    snapshot="ab" * 32,
    taken="2026-01-31T11:59:00+00:00",
    rpo_s=60,
    rto_s=55,
    models=[DrillModel(model="mlp", version=1, sha256="ab", outcome="equal", against="live", detail="")],
    levels=[],
    sources=[],
    compared=7,
    objects=4,
    different=0,
    unreadable_then=0,
    faults=[],
)
TABLES = {"tracking": {"tracking.runs": {"rows": 3, "digest": "17"}}}


def told(finished: str | None = "2026-01-31T04:44:00+00:00", state: str = "passed") -> dict[str, Any]:
    """As `backup trial-status` prints it."""
    run = {
        "finished": finished,
        "seconds": 20.5,
        "rpo_s": 300.0,
        "objects": {"objects": 4},
        "databases": TABLES,
        "log": {"rpo_s": 61.0},
        "models": 1,
        "different": 0,
    }
    since = "2026-01-30T00:00:00+00:00"
    return {"state": state, "text": "said", "since": since, "run": run if finished else None}


def test_the_service_s_drill_comes_with_its_figures() -> None:
    found = newest.newest(told(), None)
    assert (found.by, found.result, found.rpo_s, found.rto_s) == ("service", "passed", 61.0, 20.5)
    assert (found.objects, found.rows, found.models, found.different) == (4, 3, 1, 0)


def test_one_that_was_made_later_by_hand_counts() -> None:
    found = newest.newest(told(), MADE)
    assert (found.by, found.at, found.rows, found.models) == ("make drill", MADE.finished, 3, 1)
    assert found.text == "4 objects and 3 rows came back as saved; answer as before: mlp"


def test_models_that_were_compared_with_what_was_recorded_or_not_at_all_are_named() -> None:
    mlp = MADE.models[0]
    recorded = mlp.model_copy(update={"model": "slope", "against": "recorded"})
    alone = mlp.model_copy(update={"model": "own", "outcome": "not compared", "against": None})
    found = newest.newest(told(), MADE.model_copy(update={"models": [mlp, recorded, alone]}))
    assert found.text.endswith("; answer as before: mlp, slope (recorded); answer and are not compared: own")
    assert found.models == 2


def test_one_that_failed_by_hand_counts_with_its_reason() -> None:
    made = MADE.model_copy(update={"passed": False, "faults": ["datasets/a: missing"]})
    found = newest.newest(told(), made)
    assert (found.result, found.text) == ("failed", "failed: datasets/a: missing")


@pytest.mark.parametrize(
    ("service", "changed"),
    [
        (told("2026-01-31T13:00:00+00:00"), {}),
        (told(), {"at": "2026-01-01T00:00:00+00:00"}),
        (told(state="stale"), {}),
        ({**told(None, "waiting"), "since": "2026-01-31T12:30:00+00:00"}, {}),
        ({"state": "waiting", "text": "said", "run": None}, {}),
    ],
    ids=["older", "of an earlier time", "the service is stale", "of a stack before", "no record"],
)
def test_one_by_hand_does_not_count(service: dict[str, Any], changed: dict[str, Any]) -> None:
    assert newest.newest(service, MADE.model_copy(update=changed)).by == "service"


def test_a_new_stack_s_first_drill_by_hand_counts() -> None:
    assert newest.newest(told(None, "waiting"), MADE).result == "passed"


def test_a_run_without_databases_has_no_rows() -> None:
    found = told(state="failed")
    found["run"]["databases"] = {"fault": "pg_restore: no"}
    assert newest.newest(found, None).rows == 0


@pytest.mark.parametrize("text", ["", "{}", "no JSON", "[]"])
def test_a_record_that_is_none_is_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "drill.json"
    assert newest.read(path) is None
    path.write_text(text)
    assert newest.read(path) is None


def test_the_record_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "drill.json"
    path.write_text(MADE.model_dump_json(by_alias=True))
    assert newest.read(path) == MADE
    assert content(MADE)["schema"] == "aidc.drill/1"
