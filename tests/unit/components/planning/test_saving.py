"""What each backup job saves, and what no job does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.backup import bucket_lists, crontab, job_settings
from components.planning import cron, saving
from components.planning.config import StackConfig
from components.planning.store_place import place
from components.planning.validation import load
from components.pruner import pruner_settings

BUCKETS = ("datasets", "checkpoints", "models", "results")
SYSTEM = ("tracking", "database")


def config(**jobs: Any) -> StackConfig:
    return load({"backup": {"schedule": "*/10 * * * *", "retention": {"daily": 9}, "jobs": jobs}}, "dev")


def only(**job: Any) -> saving.Saving:
    (found,) = saving.jobs(config(one=job))
    return found


def test_a_file_without_jobs_has_one_that_saves_everything_as_it_always_was() -> None:
    files: list[dict[str, Any]] = [{}, {"backup": {"jobs": {}}}]
    for raw in files:
        (job,) = saving.jobs(load(raw, "dev"))
        assert (job.name, job.schedule) == ("everything", "*/5 * * * *")
        assert job.retention.model_dump() == {"hourly": 24, "daily": 7, "weekly": 5, "monthly": 12}
        assert job.buckets == (*BUCKETS, *SYSTEM)
        assert (job.databases, job.log, job.configuration) == (("tracking", "tracking_auth"), True, True)


@pytest.mark.parametrize(
    ("sources", "buckets", "databases", "log", "configuration"),
    [
        ("all", (*BUCKETS, *SYSTEM), True, True, True),
        ({"buckets": ["models", "datasets"]}, ("datasets", "models"), False, False, False),
        ("database", ("database",), True, True, False),
        ("tracking", ("tracking",), True, False, False),
        ("configuration", (), False, False, True),
        (["database", {"buckets": ["results"]}], ("results", "database"), True, True, False),
    ],
)
def test_sources_stand_for_buckets_databases_log_and_configuration(
    sources: Any, buckets: tuple[str, ...], databases: bool, log: bool, configuration: bool
) -> None:
    job = only(sources=sources)
    assert job.buckets == buckets
    assert (bool(job.databases), job.log, job.configuration) == (databases, log, configuration)


def test_what_a_job_does_not_say_is_as_in_the_backup() -> None:
    job = only(sources="all", retention={"monthly": 3})
    assert job.schedule == "*/10 * * * *"
    assert job.retention.model_dump() == {"hourly": 24, "daily": 9, "weekly": 5, "monthly": 3}


def test_what_no_job_saves_is_named() -> None:
    assert saving.warning(config(one={"sources": "all"})) is None
    found = config(one={"sources": ["tracking", {"buckets": ["datasets"]}]})
    text = "bucket/checkpoints, bucket/models, bucket/results, the database's log, the configuration"
    assert saving.warning(found) == f"aidc:datacenter.backup.jobs: no job saves {text}"


def test_every_bucket_is_listed_as_saved_or_as_not() -> None:
    saved, left_out = bucket_lists(config(a={"sources": "tracking"}, b={"sources": {"buckets": ["models"]}}))
    assert str(saved.content).split() == ["tracking", "models"]
    assert str(left_out.content).split() == ["datasets", "checkpoints", "results", "database"]


def test_the_service_is_told_of_every_job() -> None:
    found = config(a={"sources": "all"}, b={"sources": "database", "schedule": "0 3 * * *"})
    told = json.loads(job_settings(found, place(None)))["jobs"]
    assert {name: (job["schedule"], job["log"]) for name, job in told.items()} == {
        "a": ("*/10 * * * *", True),
        "b": ("0 3 * * *", True),
    }
    lines = crontab(found).splitlines()
    assert lines[1] == "0 3 * * * backup run --scheduled --job b"
    assert all(cron.check(line.partition(" backup ")[0]) for line in lines)
    assert json.loads(pruner_settings(found))["jobs"].keys() == {"a", "b"}
