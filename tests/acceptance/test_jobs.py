"""A user's own jobs on the live stack: the tutorial as it is written, refusals, waiting, stopping."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmark.cluster import stack as stacks
from components.planning.inventory import Inventory
from tests.acceptance.commands import aidc, blocks_of, jobs
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.waiting import eventually

TUTORIAL = ROOT / "docs" / "tutorial-own-script.md"


@pytest.fixture(scope="module")
def named() -> str:
    """A name that no earlier run of these tests has used: it would find that one's checkpoints."""
    return f"tutorial-{int(time.time())}"


@pytest.fixture(scope="module")
def tutorial(named: str) -> list[str]:
    """What each command block of the tutorial prints. The name of its job is the only change."""
    return blocks_of(TUTORIAL, r"(NAME=|JOB=|jobs/|run_name = ')tutorial", named)


def test_the_tutorial_trains_two_ranks_on_the_data_that_it_wrote(tutorial: list[str]) -> None:
    whole = "".join(tutorial)
    assert "2000 rows in s3://datasets/tutorial/rows.csv" in whole
    first = next(part for part in tutorial if "2 ranks of" in part)
    assert all(f"[{rank}] rank {rank} of 2 begins with 1000 rows" in first for rank in (0, 1))
    losses = [float(loss) for loss in re.findall(r"\[0\] epoch \d: loss ([\d.]+)", first)]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_the_same_name_goes_on_from_the_checkpoint(tutorial: list[str]) -> None:
    assert re.findall(r"\[0\] epoch (\d)", tutorial[-1]) == ["3", "4"]
    assert "[1] rank 1 goes on with epoch 3" in tutorial[-1]


def test_the_job_and_its_curve_are_in_sight(tutorial: list[str], named: str) -> None:
    table = next(part for part in tutorial if "waits for" in part)
    assert re.search(rf"{named}.*succeeded", table)
    assert any(f"jobs/{named}/last.pt" in part for part in tutorial)
    assert any(re.search(r"FINISHED loss [\d.]+ at step 2", part) for part in tutorial)


def test_each_run_can_be_reached_and_the_newest_is_meant_by_the_name(tutorial: list[str], named: str) -> None:
    said = {job: aidc("logs", "--job", job).stdout for job in (named, f"{named}@1", f"{named}@2")}
    assert "[0] epoch 0" in said[f"{named}@1"]
    assert "[0] epoch 3" in said[f"{named}@2"]
    assert said[named] == said[f"{named}@2"]
    done = aidc("logs", "--job", f"{named}@3")
    assert done.returncode == 2
    assert f"{named}@2 (succeeded), {named}@1 (succeeded)" in done.stderr


def test_checkpoints_are_deleted_and_those_of_others_stay(tutorial: list[str], named: str) -> None:
    store = stacks.read(STACK).store()
    before = set(store.list("checkpoints/"))
    own = {key for key in before if key.startswith(f"checkpoints/jobs/{named}/")}
    assert own
    assert aidc("delete", "--job", named).returncode == 2  # nobody confirms it
    assert own <= set(store.list("checkpoints/"))
    done = aidc("delete", "--job", named, "--yes")
    assert done.returncode == 0, done.stderr
    assert f"job {named}: {len(own)} object" in done.stdout
    assert set(store.list("checkpoints/")) == before - own


SCRIPT = """
import os, sys
names = ("aws-credentials", "mlflow-credentials", "ray-token")
lines = [line for name in names for line in open(f"/etc/aidc/{name}").read().splitlines()]
values = [line.split(" = ")[-1].strip() for line in lines if not line.startswith("[")]
values = [value for value in values if len(value) > 16]
seen = " ".join([*os.environ.values(), *sys.argv])
print("secrets", len(values), "seen", sum(value in seen for value in values), "as", os.getuid())
raise ValueError("a mistake of my own")
"""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    script = tmp_path_factory.mktemp("job") / "mistaken.py"
    script.write_text(SCRIPT)
    return aidc("submit", str(script), "--args", "--word 'a b'", "--name", f"mistaken-{int(time.time())}")


def test_a_script_that_fails_shows_its_own_traceback_alone(failed: subprocess.CompletedProcess[str]) -> None:
    assert failed.returncode == 1
    assert "ValueError: a mistake of my own" in failed.stdout
    assert len(re.findall(r'^ +File "', failed.stdout, re.MULTILINE)) == 1


def test_no_secret_is_in_a_job_s_variables_or_arguments(failed: subprocess.CompletedProcess[str]) -> None:
    assert "secrets 4 seen 0 as 10001" in failed.stdout


def test_a_job_that_can_never_fit_is_refused_at_once(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("")
    before = jobs()
    done = aidc("submit", str(script), "--cpus", "64", "--ranks", "2")
    assert done.returncode == 2
    assert "2 ranks of 64 CPUs cannot run: not one would fit on an empty node (compute-node1" in done.stderr
    assert jobs().keys() == before.keys()


def becomes(name: str, state: str) -> bool:
    return eventually(lambda: jobs()[name]["state"] == state)


def test_a_job_waits_visibly_and_both_can_be_stopped(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("import time; print('begun', flush=True); time.sleep(3600)")
    first, second = (f"wait-{number}-{int(time.time())}" for number in (1, 2))
    try:
        for name, state in ((first, "running"), (second, "waiting")):
            done = aidc("submit", str(script), "--ranks", "2", "--detach", "--name", name)
            assert done.returncode == 0, done.stderr
            assert becomes(name, state), jobs()[name]
        reason = f"held by job {first}"
        assert eventually(lambda: reason in jobs()[second]["waits for"]), jobs()[second]
        assert jobs()[second]["waits for"].startswith("2 × ")
    finally:
        stopped = [aidc("stop", name).returncode for name in (second, first)]
    assert stopped == [0, 0]
    assert {jobs()[name]["state"] for name in (first, second)} == {"stopped"}


LEAVES = """
import os, signal, subprocess, sys, tempfile, time
import boto3
bucket, prefix = os.environ["AIDC_CHECKPOINT_BUCKET"], os.environ["AIDC_CHECKPOINT_PREFIX"]
def asked(*_):
    time.sleep(1)
    with open("last.pt", "w") as file:
        file.write("saved")
    boto3.client("s3").upload_file("last.pt", bucket, prefix + "rank" + os.environ["RANK"])
    os._exit(0)
signal.signal(signal.SIGTERM, asked)
subprocess.Popen(["sleep", "3600.25"], start_new_session=True)
print("left:", tempfile.mkdtemp(), os.getcwd(), flush=True)
time.sleep(3600)
"""
LOOKS = """
import sys
from pathlib import Path
def command(folder):
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""
print("found:", [place for place in sys.argv[1:] if Path(place).exists()])
print("processes:", sum(b"3600.25" in command(folder) for folder in Path("/proc").glob("[0-9]*")))
"""


def test_ranks_that_are_stopped_may_save_something_and_leave_nothing(tmp_path: Path) -> None:
    leaves, looks, name = tmp_path / "leaves.py", tmp_path / "looks.py", f"leaves-{int(time.time())}"
    leaves.write_text(LEAVES)
    looks.write_text(LOOKS)
    aidc("submit", str(leaves), "--ranks", "2", "--detach", "--name", name)
    store = stacks.read(STACK).store()

    def left() -> list[tuple[str, str]]:
        log = stacks.read(STACK).ray().logs(name)
        return re.findall(r"left: (\S+) (\S+)", log)

    try:
        assert eventually(lambda: len(left()) == 2)
        places = [place for pair in left() for place in pair]
    finally:
        assert aidc("stop", name).returncode == 0
    saved = {f"checkpoints/jobs/{name}/rank{rank}" for rank in (0, 1)}
    assert eventually(lambda: saved <= set(store.list("checkpoints/")))

    def nothing() -> bool:
        words = ("--ranks", "2", "--args", " ".join(places))
        told = aidc("submit", str(looks), *words).stdout
        return told.count("found: []") == 2 and told.count("processes: 0") == 2

    assert eventually(nothing)


def test_a_driver_that_asks_for_nothing_is_kept_off_the_head(
    inventory: Inventory, access: dict[str, Any], ca_file: str
) -> None:
    answer = requests.post(
        f"{inventory.endpoints['ray']}/api/jobs/",
        json={"entrypoint": "true", "entrypoint_num_cpus": None},
        headers={"Authorization": f"Bearer {access['ray_token']}"},
        verify=ca_file,
        timeout=30,
    )
    assert (answer.status_code, "--entrypoint-num-cpus" in answer.text) == (400, True)


def test_the_wrong_name_of_a_job_is_told_with_the_right_one(tutorial: list[str], named: str) -> None:
    done = aidc("logs", "--job", f"{named}x")
    assert done.returncode == 2
    assert f"did you mean {named!r}" in done.stderr
