"""What a restore says: before, when it refuses, and in the end."""

from __future__ import annotations

from typing import Any

import pytest

from operations.errors import RefusedError
from operations.restoring import run
from operations.restoring.bar import Bar, amount

PLAN: dict[str, Any] = {
    "parts": [
        {
            "snapshot": "ab" * 32,
            "job": "everything",
            "taken": "2026-01-31T02:15:00.123456789Z",
            "partial": False,
            "sources": ["bucket/datasets", "database/tracking"],
        }
    ],
    "passed_over": 0,
    "resumes": False,
    "buckets": {"datasets": {"objects": 3, "bytes": 2**20, "lost": 0}},
    "databases": {"tracking": {"tables": 2, "rows": 7}},
    "held": {},
    "missing": [],
}
DONE: dict[str, Any] = {
    "result": "ok", "objects": 3, "bytes": 2**20, "databases": PLAN["databases"], "failed": 0, "lost": 0,
    "missing": [], "faults": [], "seconds": 4.2,
}  # fmt: skip


def test_the_plan_names_snapshot_and_sources() -> None:
    assert run.describe(PLAN) == [
        "snapshot abababab of 2026-01-31 02:15:00 UTC, job everything",
        "  bucket/datasets: 3 objects, 1 MiB",
        "  database/tracking: 7 rows in 2 tables",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"parts": [{**PLAN["parts"][0], "partial": True, "job": ""}]},
            "partial snapshot abababab of 2026-01-31 02:15:00 UTC",
        ),
        ({"passed_over": 2}, "  (passed over: 2 newer snapshots of an empty stack)"),
        ({"resumes": True}, "  (an interrupted restore goes on)"),
        ({"missing": ["database/x"]}, "  database/x: in no snapshot"),
    ],
)
def test_what_is_unusual_about_it_is_said(changes: dict[str, Any], line: str) -> None:
    assert line in run.describe(PLAN | changes)


def test_each_source_stands_below_the_snapshot_that_it_comes_from() -> None:
    first, second = ({**PLAN["parts"][0], "snapshot": c * 64, "job": c, "sources": [s]} for c, s in
                     (("a", "bucket/datasets"), ("b", "database/tracking")))  # fmt: skip
    lines = run.describe(PLAN | {"parts": [first, second]})
    assert [line.partition(" of ")[0] for line in lines] == [
        "snapshot aaaaaaaa", "  bucket/datasets: 3 objects, 1 MiB",
        "snapshot bbbbbbbb", "  database/tracking: 7 rows in 2 tables",
    ]  # fmt: skip


def test_a_refusal_names_what_is_held_and_a_fix() -> None:
    text = run.refuse("dev", {"bucket/models": "2 objects, 'm' among them"})
    assert "bucket/models holds 2 objects" in text
    assert "SOURCES=" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "restore done in 4 s: compared 3 objects (1 MiB) by hash, 7 rows by digest"),
        ({"result": "failed", "failed": 2}, "restore FAILED in 4 s"),
        ({"result": "partial", "lost": 1}, "; 1 without a copy in the snapshot"),
    ],
)
def test_the_outcome_is_counted(changes: dict[str, Any], text: str) -> None:
    assert text in run.outcome(DONE | changes)[-1]


def test_without_a_terminal_nobody_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    run.confirm("dev", True)
    with pytest.raises(RefusedError, match="YES=1"):
        run.confirm("dev", False)


@pytest.mark.parametrize(("answer", "accepted"), [("dev", True), ("yes", False), ("", False)])
def test_the_name_of_the_stack_confirms(monkeypatch: pytest.MonkeyPatch, answer: str, accepted: bool) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    if accepted:
        run.confirm("dev", False)
    else:
        with pytest.raises(RefusedError, match="not confirmed"):
            run.confirm("dev", False)


def test_each_step_is_one_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(terminal=False) as bar:
        bar.told('{"step": "one", "done": 1, "of": 2, "bytes": 0, "of_bytes": 0}')
        bar.told('{"step": "one", "done": 2, "of": 2, "bytes": 0, "of_bytes": 0}')
        bar.told("words")
        bar.told('{"step": "two", "done": 3, "of": 0, "bytes": 0, "of_bytes": 0}')
    assert capsys.readouterr().out.splitlines() == ["words", "  one: 2 of 2", "  two: 3"]


def test_an_amount_counts_and_measures() -> None:
    step = {"done": 1, "of": 2, "bytes": 2**20, "of_bytes": 2**21}
    assert amount(step) == "1 of 2 (1 MiB of 2 MiB)"
