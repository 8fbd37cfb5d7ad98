"""How a command that followed a job ends, and what it says while the job waits."""

from __future__ import annotations

import pytest

from benchmark.cluster.ray_api import LOST
from benchmark.core.actors import STOPPED
from operations.jobs import request
from operations.jobs.capacity import Need, Node
from operations.jobs.following import code_of, waits_of
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


def test_only_a_job_of_ours_is_known_to_wait_for_something() -> None:
    full = Node("node1", {"CPU": 1}, {"CPU": 1})
    body = request.body(Request("demo", 1, Need(0.5), ()), "t.py", "p.zip", {})
    assert waits_of(body, [full]).startswith("0.5 CPUs: node1: 0 of 1 CPUs")
    assert waits_of({"metadata": {}}, [full]) == ""
