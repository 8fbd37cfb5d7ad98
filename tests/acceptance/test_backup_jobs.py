"""Two jobs side by side: each has its own snapshots, state and retention, and all that was saved is in reach.

The second job is given to the program in the container, as `make up` would give it: the stack stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra

from components.planning.inventory import Inventory
from operations.__main__ import main as operations
from tests.acceptance.conftest import STACK

BUCKET = "restored"  # of Pulumi.test.yaml: empty but for tests
KEY = "job/only-in-the-second"
# Runs the program with one more job, which saves one bucket.
WITH_JOB = """
import sys
from keeper import __main__
from keeper.saving import jobs
from keeper.core import settings
found = settings.load()
one = settings.Job("second", "0 3 * * *", ({bucket!r},))
together = settings.Settings(
    found.store, found.limits, (*found.jobs, one), found.dump_hours, found.initial, found.unsaved
)
jobs.load = lambda: together
sys.exit(__main__.main(sys.argv[1:]))
"""


class Keeper:
    """The backup's container, as if its settings had a second job."""

    def __init__(self, inventory: Inventory) -> None:
        self.host = testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")
        self.program = WITH_JOB.format(bucket=BUCKET)

    def run(self, *arguments: str) -> Any:
        command = "PYTHONPATH=/usr/local/lib/aidc python3 -c %s " + " ".join(["%s"] * len(arguments))
        return self.host.run(command, self.program, *arguments)

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.run("status").stdout))

    def snapshots(self) -> list[dict[str, Any]]:
        return list(json.loads(self.host.check_output("restic --no-lock snapshots --json")))


@pytest.fixture(scope="module")
def keeper(inventory: Inventory) -> Keeper:
    return Keeper(inventory)


@pytest.fixture(scope="module")
def saved(keeper: Keeper, s3: Any) -> Iterator[dict[str, Any]]:
    """The jobs' states after the second has saved an object that was written after the first job ran."""
    assert keeper.run("run", "--job", "everything").rc == 0
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"of the second job")
    assert keeper.run("run", "--job", "second").rc == 0
    yield dict(keeper.status()["jobs"])
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    keeper.host.check_output("backup run")


def test_each_job_has_a_series_and_a_state_of_its_own(keeper: Keeper, saved: dict[str, Any]) -> None:
    newest = {found["hostname"]: found["tags"] for found in keeper.snapshots()}
    assert "job=second" in newest["second"]
    assert [tag for tag in newest["second"] if "/" in tag] == [f"bucket/{BUCKET}"]
    assert {"log", "configuration", "database/tracking"} <= set(newest["everything"])
    assert {name: job["state"] for name, job in saved.items()} == {"everything": "ok", "second": "ok"}


def test_the_second_job_fetches_only_what_the_first_has_not(saved: dict[str, Any]) -> None:
    assert saved["second"]["run"]["fetched"] == 1


@pytest.mark.usefixtures("saved")
def test_an_object_comes_from_the_newest_snapshot_that_holds_its_bucket(keeper: Keeper) -> None:
    host = keeper.host
    assert host.check_output("backup cat %s %s", BUCKET, KEY) == "of the second job"
    keys = [json.loads(line) for line in host.check_output("backup keys").splitlines()]
    assert (BUCKET, KEY) in {(found["bucket"], found["key"]) for found in keys}
    assert "database" in {found["bucket"] for found in keys}
    assert "encryptionsalt" in host.check_output("backup configuration stack.yaml")


@pytest.mark.usefixtures("saved")
def test_a_restore_takes_the_bucket_from_the_second_job(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])
    assert operations(["restore", "--stack", STACK, "--yes", "--sources", f"bucket/{BUCKET}"]) == 0
    assert ", job second" in capsys.readouterr().out
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"of the second job"


@pytest.mark.usefixtures("saved")
def test_a_drill_restores_what_both_have_saved(inventory: Inventory) -> None:
    drill = testinfra.get_host(f"docker://{inventory.by_role('drill')[0].container}")
    assert drill.run("backup trial").rc == 0
    objects = json.loads(drill.check_output("backup trial-status"))["run"]["objects"]
    assert {found["job"]: found["sources"] for found in objects["snapshots"]}["second"] == [
        f"bucket/{BUCKET}"
    ]
    assert len(objects["snapshots"]) == 2


@pytest.mark.usefixtures("saved")
def test_the_pruner_keeps_the_newest_of_each_job(keeper: Keeper, inventory: Inventory) -> None:
    pruner = testinfra.get_host(f"docker://{inventory.by_role('vault-pruner')[0].container}")
    before = {found["hostname"]: found["id"] for found in keeper.snapshots()}
    pruner.check_output("backup prune")
    assert set(before.values()) <= {found["id"] for found in keeper.snapshots()}


def test_a_job_that_does_not_exist_is_refused_with_those_that_do(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert operations(["backup", "--stack", STACK, "--job", "evrything"]) == 2
    output = capfd.readouterr()
    assert "one of everything" in output.out + output.err


def test_two_runs_at_once_both_end_well(keeper: Keeper) -> None:
    """The second waits for the lock; none is lost."""
    both = keeper.host.run(
        "backup run --job everything & backup run --job everything; code=$?; wait $! && exit $code"
    )
    assert both.rc == 0
    assert both.stdout.count("backup finished") == 2
