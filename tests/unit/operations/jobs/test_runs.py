"""Which run of which job a name, a run or an id means."""

from __future__ import annotations

from typing import Any

import pytest

from operations.errors import RefusedError
from operations.jobs import listing, request, runs


def job(identifier: str | None, name: str | None, at: int, **more: Any) -> dict[str, Any]:
    metadata = {"aidc_name": name} if name else None
    told = {"submission_id": identifier, "metadata": metadata, "start_time": at}
    return {**told, "status": "SUCCEEDED", **more}


DEMO = [job("demo-2", "demo", 20), job("demo", "demo", 10), job("demo-3", "demo", 30, status="RUNNING")]
OTHERS = [job("demo-4", "demo-2", 40), job("raysubmit_x", None, 50), job(None, None, 60, job_id="01000000")]
JOBS = [*DEMO, *OTHERS]


@pytest.mark.parametrize(
    ("wanted", "identifier"),
    [
        ("demo", "demo-3"),
        ("demo@1", "demo"),
        ("demo@2", "demo-2"),
        ("demo@3", "demo-3"),
        ("demo-3", "demo-3"),
        # A name and another job's id: the newest.
        ("demo-2", "demo-4"),
        ("demo-2@1", "demo-4"),
        ("raysubmit_x", "raysubmit_x"),
    ],
)
def test_each_run_can_be_reached(wanted: str, identifier: str) -> None:
    assert runs.meant(wanted, JOBS)["submission_id"] == identifier


def test_a_run_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(RefusedError) as caught:
        runs.meant("demo@7", JOBS)
    assert str(caught.value).splitlines() == [
        "JOB: job 'demo' has no run '7'",
        "    fix: there are demo@3 (running), demo@2 (succeeded), demo@1 (succeeded)",
    ]


def test_of_many_runs_the_newest_are_listed() -> None:
    many = [job(f"a-{number}", "a", number) for number in range(30)]
    with pytest.raises(RefusedError, match=r"a@30 .*a@21 \(succeeded\), and 20 older ones$"):
        runs.meant("a@31", many)


@pytest.mark.parametrize("wanted", ["dmo", "dmo@1", "01000000", "None"])
def test_a_job_that_is_not_there_is_refused(wanted: str) -> None:
    with pytest.raises(RefusedError, match="there is no job"):
        runs.meant(wanted, JOBS)


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(RefusedError, match="did you mean 'demo'"):
        runs.meant("dmo@1", [*DEMO])


def test_the_list_names_each_run() -> None:
    rows = listing.rows_of(request.newest_first(JOBS), [], [])
    assert [(row["run"], row["id"]) for row in rows] == [
        ("raysubmit_x@1", "raysubmit_x"),
        ("demo-2@1", "demo-4"),
        ("demo@3", "demo-3"),
        ("demo@2", "demo-2"),
        ("demo@1", "demo"),
    ]
