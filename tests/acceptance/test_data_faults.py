"""What goes wrong during a backup: it is named, nothing older is lost, and the next run succeeds."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra

from components.planning.inventory import Inventory
from tests.acceptance.conftest import stack_inventory
from tests.acceptance.disks import run
from tests.acceptance.waiting import settle

SIZE, COUNT = 8 * 2**20, 12
# In the job's container, as the same user: kills a run and its restic while that writes a snapshot.
# The run is stopped first, so that it cannot go on to its next step meanwhile.
KILL = """
import contextlib, os, signal, subprocess, time
run = subprocess.Popen(["backup", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def writers():
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parent = open(f"/proc/{entry}/stat").read().rpartition(")")[2].split()[1]
            words = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\\0")
            if int(parent) == run.pid and words[0] == b"restic" and b"backup" in words:
                yield int(entry)
while not (found := list(writers())):
    assert run.poll() is None, "the run ended before it wrote a snapshot"
    time.sleep(0.005)
for number in (signal.SIGSTOP, signal.SIGKILL):
    for process in (run.pid, *found):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
print(run.wait())
"""


@pytest.fixture(scope="module")
def job(inventory: Inventory) -> Any:
    return testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")


@pytest.fixture
def objects(s3: Any) -> Iterator[dict[str, bytes]]:
    """Objects of `results` that are new each time, so that a run has something to fetch and to send."""
    prefix = f"acceptance/faults-{uuid.uuid4().hex}"
    made = {f"{prefix}/{n}": os.urandom(SIZE) for n in range(COUNT)}
    for key, content in made.items():
        s3.put_object(Bucket="results", Key=key, Body=content)
    yield made
    for key in made:
        s3.delete_object(Bucket="results", Key=key)


def started(container: str) -> subprocess.Popen[str]:
    command = ["docker", "exec", container, "backup", "run"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def container() -> str:
    return stack_inventory().by_role("backup")[0].container


def snapshots(job: Any) -> list[str]:
    return [found["id"] for found in json.loads(job.check_output("restic snapshots --no-lock --json"))]


def test_a_run_that_is_killed_costs_nothing_older_and_the_next_one_succeeds(
    job: Any, objects: dict[str, bytes]
) -> None:
    job.check_output("backup run")
    before, first = snapshots(job), next(iter(objects))
    assert job.check_output("python3 -c %s", KILL) == "-9"
    assert set(before) <= set(snapshots(job))
    saved = job.check_output("backup cat --snapshot %s results %s | sha256sum", before[-1], first)
    assert saved.split()[0] == hashlib.sha256(objects[first]).hexdigest()
    job.check_output("backup run")
    assert json.loads(job.check_output("backup status"))["state"] == "ok"


def test_two_runs_at_once_take_turns_and_both_succeed(job: Any, objects: dict[str, bytes]) -> None:
    before = set(snapshots(job))
    runs = [started(container()) for _ in range(2)]
    ends = [(run.communicate(timeout=300)[0], run.returncode) for run in runs]
    assert [code for _, code in ends] == [0, 0], ends
    made = {name for said, _ in ends for name in re.findall(r" in snapshot ([0-9a-f]{8})", said)}
    assert len(made) == 2, ends
    assert made <= {name[:8] for name in set(snapshots(job)) - before}


def test_an_object_that_one_drive_has_lost_is_saved_all_the_same(
    job: Any, inventory: Inventory, objects: dict[str, bytes]
) -> None:
    key = next(iter(objects))
    node = testinfra.get_host(f"docker://{inventory.by_role('object-store')[0].container}")
    node.check_output("rm -r /data/results/%s", key)
    job.check_output("backup run")
    dumped = subprocess.run(
        ["docker", "exec", container(), "backup", "cat", "results", key], capture_output=True, check=True
    )
    assert dumped.stdout == objects[key]


def test_a_bucket_that_does_not_exist_is_named(job: Any) -> None:
    script = (
        "from dataclasses import replace; from keeper.core import settings\n"
        "from keeper.saving import jobs, run; from keeper.sources import staging, store\n"
        "found = settings.load()\n"
        "job = found.job('everything')\n"
        "found = replace(found, jobs=(replace(job, buckets=(*job.buckets, 'deleted-meanwhile')),))\n"
        "s3, turn = store.client(found.store), jobs.lock()\n"
        "done = run.run(found, staging.Staging(settings.STAGING, 'everything'), s3, print)\n"
        "print(done.result, done.reason, done.unreadable_objects)"
    )
    said = job.check_output("PYTHONPATH=/usr/local/lib/aidc python3 -c %s", script).splitlines()[-1]
    assert not said.startswith("ok")
    assert "deleted-meanwhile" in said
    job.check_output("backup run")


@pytest.fixture
def vault(inventory: Inventory) -> str:
    return inventory.by_role("vault")[0].container


def test_a_vault_that_is_away_is_named_and_the_next_run_succeeds(
    job: Any, inventory: Inventory, vault: str
) -> None:
    run("docker", "stop", "--time", "10", vault)
    try:
        ran = job.run("backup run")
    finally:
        run("docker", "start", vault)
    assert ran.rc == 1
    assert "the vault does not answer" in ran.stdout
    settle(inventory)
    job.check_output("backup run")
