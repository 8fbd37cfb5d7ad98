"""How a command that followed a job ends, and what it says while the job waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.cluster.ray_api import LOST
from benchmark.core.actors import STOPPED
from operations.jobs import following, request, session
from operations.jobs.capacity import Need, Node
from operations.jobs.following import End, code_of, lost_by, waits_of
from operations.jobs.package import Package
from operations.jobs.request import Request


@pytest.mark.parametrize(
    ("status", "driver", "code"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 7, 7),
        ("FAILED", -9, 137),
        ("FAILED", None, 1),
        ("STOPPED", None, STOPPED),
        (LOST, None, 1),
    ],
)
def test_the_command_ends_as_the_script_did(status: str, driver: int | None, code: int) -> None:
    assert code_of(status, driver) == code


OUT_OF_MEMORY = (
    "Unexpected error occurred: 4 worker(s) were killed due to the node running low on memory. Memory on the "
    "node (IP: 10.0.4.100, ID: 94df) was 3.98GB used / 4.00GB limit (0.994121)\nOOM kill reason: Memory usage"
)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (OUT_OF_MEMORY, "the node of the job ran out of memory (3.98GB of 4.00GB were used)"),
        ("The actor died because its node has died", "the node of the job's driver was lost"),
        ("", "the node of the job's driver was lost"),
    ],
)
def test_what_a_job_was_lost_by_is_told(why: str, said: str) -> None:
    assert lost_by(why) == said


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (End("STOPPED", 143, True), "stopped"),
        (End(LOST, 1, True), "lost: the node of the job's driver was lost"),
        (
            End(LOST, 1, True, OUT_OF_MEMORY),
            "lost: the node of the job ran out of memory (3.98GB of 4.00GB were used)\n"
            f"    fix: {following.LOW_FIX}",
        ),
    ],
)
def test_whoever_reads_the_log_later_is_told_how_the_job_ended(end: End, said: str) -> None:
    assert following.ended(end) == said


def test_a_job_that_is_always_out_of_memory_ends_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = iter([End(LOST, 1, True, OUT_OF_MEMORY)] * following.STARTS)
    names = iter(["job-2", "job-3"])
    monkeypatch.setattr(following, "follow", lambda *_: next(ends))
    monkeypatch.setattr(session, "start", lambda *_: next(names))
    opened: Any = SimpleNamespace(ray=SimpleNamespace(stop=lambda _: None))
    wanted, package = Request("job", 1, Need(0.5), ()), Package("t.py", "p.zip", b"")
    assert following.keep_up(opened, wanted, package, "job") == 1
    told = capsys.readouterr()
    assert "ran out of memory (3.98GB of 4.00GB were used); submitted again as job-2" in told.out
    assert "job-3: lost like the 2 before it: the node of the job ran out of memory" in told.err
    assert "fix: have the script use less memory" in told.err


def test_only_a_job_of_ours_is_known_to_wait_for_something() -> None:
    full = Node("node1", {"CPU": 1}, {"CPU": 1})
    body = request.body(Request("demo", 1, Need(0.5), ()), "t.py", "p.zip", {})
    assert waits_of(body, [full]).startswith("0.5 CPUs: node1: 0 of 1 CPUs")
    assert waits_of({"metadata": {}}, [full]) == ""


class Ray:
    """Knows a task of job 0a that waits for a CPU; no node has one free."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    def state(self, kind: str, most: int = 0, **equal: str) -> list[dict[str, Any]]:
        self.asked.append((kind, equal))
        wanted = {"state": "PENDING_NODE_ASSIGNMENT", "job_id": "0a"}
        return [{"name": "ReadCSV", "required_resources": {"CPU": 1.0}}] if equal == wanted else []


def test_a_job_that_runs_and_waits_for_its_own_task_says_so_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: clock.now))
    opened: Any = SimpleNamespace(ray=Ray(), nodes=lambda: [Node("node1", {"CPU": 1}, {"CPU": 0.7})])
    waiting = following._Waiting(opened)
    for clock.now in (0.0, 30.0, 61.0, 62.0, 122.0):
        waiting.see({"status": "RUNNING", "job_id": "0a"})
        waiting.see({"status": "RUNNING", "job_id": None})  # one that has not asked Ray for anything
    said = [line for line in capsys.readouterr().out.splitlines() if "waits for" in line]
    assert said == ["the job waits for 1 CPU for ReadCSV: node1: 0.3 of 1 CPUs free"] * 2
