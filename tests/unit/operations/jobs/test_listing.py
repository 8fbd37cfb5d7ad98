"""Ray's list of jobs as rows: every job can submit another one, and say of it what it likes."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from operations.commands import jobs as command
from operations.jobs import listing, request, session
from operations.jobs.capacity import Node

NODES = [Node("compute-node1", {"CPU": 1.0, "memory": 2e9})]
OURS = {
    "aidc_name": "train",
    "aidc_ranks": "1",
    "aidc_cpus": "0.3",
    "aidc_gpus": "0",
    "aidc_memory": "0",
}


def job(begun: Any = 1_700_000_000_000, **metadata: str) -> dict[str, Any]:
    return {
        "type": "SUBMISSION",
        "submission_id": "train",
        "status": "PENDING",
        "start_time": begun,
        "metadata": {**OURS, **metadata},
    }


def drawn(jobs: list[dict[str, Any]]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(command.table(listing.rows_of(jobs, [], NODES), "stack test"))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    "claim",
    [
        {"aidc_cpus": "nan"},
        {"aidc_cpus": "inf"},
        {"aidc_cpus": "1e-320"},
        {"aidc_cpus": "-1"},
        {"aidc_gpus": "1" + "0" * 400},
        {"aidc_memory": "1" + "0" * 400},
        {"aidc_memory": "-1"},
        {"aidc_ranks": "-3"},
        {"aidc_ranks": "10000000"},
    ],
)
def test_a_job_that_claims_to_need_what_nobody_can_ask_for_counts_as_submitted_by_other_means(
    claim: dict[str, str],
) -> None:
    [row] = listing.rows_of([job(**claim)], [], NODES)
    assert (row["ranks"], row["each"], row["waits for"]) == ("", "", "")


def test_a_job_of_this_program_is_shown_with_what_it_asked_for() -> None:
    [row] = listing.rows_of([job()], [], NODES)
    assert (row["ranks"], row["each"]) == ("1", "0.3 CPUs")


@pytest.mark.parametrize("begun", [10**25, -(10**15), "soon", None, 0])
def test_a_job_of_no_known_time_has_no_age_and_comes_last(begun: Any) -> None:
    first, last = request.newest_first([job(begun, aidc_name="odd"), job()])
    assert (request.name_of(first), request.name_of(last)) == ("train", "odd")
    assert (request.submitted(last), session.age(last)) == (None, "")


def test_a_time_is_that_of_ray_in_milliseconds() -> None:
    assert request.submitted(job()) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("name", ["[/red]", "[bold]x", "[link=file:///etc/passwd]x[/link]"])
def test_a_name_is_shown_as_it_is_and_steers_no_table(name: str) -> None:
    assert name in drawn([job(aidc_name=name)])


@pytest.mark.parametrize("key", ["aidc_name", "aidc_packages"])
def test_nothing_of_a_job_steers_the_terminal(key: str) -> None:
    assert "\x1b" not in drawn([job(**{key: "\x1b]0;x\x07"})])


def test_the_nearest_name_in_a_refusal_steers_no_terminal() -> None:
    assert "\x1b" not in request.name_of(job(aidc_name="tra\x1b[2Jin"))
