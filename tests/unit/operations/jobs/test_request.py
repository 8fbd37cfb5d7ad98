"""From what was typed to what Ray is told."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from benchmark.jobs.run import parse
from operations.jobs import request
from operations.jobs.capacity import Need
from operations.jobs.request import Asked, Request

NOW = datetime(2026, 1, 31, 12, 30, 15, tzinfo=UTC)


def wanted(**given: Any) -> Request:
    found, issues = request.read(Asked(**{"script": "train.py", **given}), NOW)
    assert found is not None, issues
    return found


def test_all_mistakes_are_named_at_once() -> None:
    asked = Asked("t.py", args="'", name="No!", ranks="0", cpus="nan", gpus="-1", memory="lots")
    found, issues = request.read(asked, NOW)
    assert found is None
    assert [issue.path for issue in issues] == ["RANKS", "GPUS", "CPUS", "MEMORY", "NAME", "ARGS"]


def test_above_one_cpus_are_whole_as_ray_gives_them_out() -> None:
    assert request.read(Asked("t.py", cpus="1.5"), NOW)[1][0].path == "CPUS"


@pytest.mark.parametrize(
    ("script", "name"), [("My Train.py", "my-train-0131-123015"), ("/a/b/___.py", "job-0131-123015")]
)
def test_a_job_without_a_name_gets_one_of_its_own(script: str, name: str) -> None:
    assert wanted(script=script).name == name


def test_the_node_reads_what_was_asked_for() -> None:
    asked = wanted(
        ranks="2", cpus="0.5", gpus="1", memory="1GiB", args="--text 'a b' --epochs 3", name="demo"
    )
    words = shlex.split(request.entrypoint(asked, "my train.py"))
    job = parse(words[words.index("benchmark.jobs.run") + 1 :])
    assert (job.name, job.ranks, job.cpus, job.gpus, job.memory) == ("demo", 2, 0.5, 1, 1 << 30)
    assert job.script == ("my train.py", "--text", "a b", "--epochs", "3")


@pytest.mark.parametrize("argument", ["a\nb", "\x1b[31m", "größer 你好", "\"'$x", "", "--", "--json"])
def test_an_argument_arrives_whole_and_the_command_is_one_line(argument: str) -> None:
    command = request.entrypoint(wanted(args=shlex.join([argument, "last"])), "t.py")
    words = shlex.split(command)
    assert command.isprintable()
    assert parse(words[words.index("benchmark.jobs.run") + 1 :]).script == ("t.py", argument, "last")


def test_bytes_that_are_no_text_are_refused() -> None:
    given = b"--name=\xff".decode(errors="surrogateescape")
    found, issues = request.read(Asked(script="\udcff.py", args=given), NOW)
    assert found is None
    assert [issue.path for issue in issues] == ["SCRIPT", "ARGS"]
    assert all(str(issue).encode() for issue in issues)


@pytest.mark.parametrize(("ranks", "cpus"), [("1", 0.7), ("2", 0.1)])
def test_a_driver_always_asks_for_cpus_so_that_it_stays_off_the_head(ranks: str, cpus: float) -> None:
    body = request.body(wanted(ranks=ranks).with_cpus(0.7), "t.py", "p.zip", {})
    assert body["entrypoint_num_cpus"] == cpus


def test_what_a_job_needs_is_found_in_its_metadata_again() -> None:
    asked = wanted(ranks="3", gpus="1", memory="1GiB", cpus="0.5")
    body = request.body(asked, "t.py", "p.zip", {})
    assert request.asked_of(body["metadata"]) == (3, Need(0.5, 1, 1 << 30))


@pytest.mark.parametrize("metadata", [None, {}, {"aidc_ranks": "x"}])
def test_a_job_of_others_has_no_known_need(metadata: Any) -> None:
    assert request.asked_of(metadata) is None


def test_a_name_that_was_used_gets_a_number() -> None:
    assert request.identifier("a", {"b"}) == "a"
    assert request.identifier("a", {"a", "a-2"}) == "a-3"


def test_a_job_of_the_same_name_that_goes_on_is_found() -> None:
    jobs: list[dict[str, Any]] = [
        {"submission_id": "a", "metadata": {"aidc_name": "a"}, "status": "SUCCEEDED"},
        {"submission_id": "a-2", "metadata": {"aidc_name": "a"}, "status": "RUNNING"},
        {"submission_id": "x", "metadata": None, "status": "RUNNING"},
    ]
    assert request.running_of("a", jobs) == ["a-2"]
    assert request.name_of(jobs[2]) == "x"


def test_packages_are_told_to_the_driver_the_workers_and_the_list_of_jobs() -> None:
    body = request.body(replace(wanted(), packages="ab" * 32), "train.py", "p.zip", {"A": "b"})
    assert parse(shlex.split(body["entrypoint"])[4:]).packages == "ab" * 32
    assert body["runtime_env"]["env_vars"] == {"A": "b", "AIDC_PACKAGES": "ab" * 32}
    assert body["metadata"]["aidc_packages"] == "ab" * 32
    module, _, function = body["runtime_env"]["worker_process_setup_hook"].rpartition(".")
    assert callable(getattr(import_module(module), function))


def test_a_job_without_packages_has_no_hook() -> None:
    body = request.body(wanted(), "train.py", "p.zip", {})
    assert "worker_process_setup_hook" not in body["runtime_env"]
    assert "--packages" not in body["entrypoint"]


def test_a_script_whose_name_begins_as_an_option_does_is_none() -> None:
    words = shlex.split(request.entrypoint(Request("demo", 1, Need(1), ("-x",)), "-c.py"))
    assert words[words.index("--") + 1 :] == ["./-c.py", "-x"]
