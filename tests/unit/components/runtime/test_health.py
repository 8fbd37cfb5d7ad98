"""What counts as ready, what as failed, and that a failure is reported at once."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from components.runtime.health import Verdict, failed_before, judge, wait
from components.runtime.labels import KIND

RUNNING = {"Status": "running", "ExitCode": 0}
EXITED = {"Status": "exited", "ExitCode": 1}
RESTARTING = {"Status": "restarting", "ExitCode": 1, "Health": {"Status": "unhealthy", "Log": []}}


def health(status: str, output: str = "") -> dict[str, Any]:
    return {**RUNNING, "Health": {"Status": status, "Log": [{"Output": output}]}}


@pytest.mark.parametrize(
    ("state", "restarts", "job", "expected"),
    [
        (RUNNING, 0, False, Verdict(True, False, "running")),
        (health("healthy"), 0, False, Verdict(True, False, "healthy")),
        (health("starting"), 0, False, Verdict(False, False, "starting")),
        (health("unhealthy", "no table"), 0, False, Verdict(False, True, "unhealthy: no table")),
        (RESTARTING, 1, False, Verdict(False, False, "restarting")),
        (RESTARTING, 3, False, Verdict(False, True, "restarted 3 times, last exit code 1")),
        (EXITED, 0, False, Verdict(False, True, "exited with code 1")),
        (EXITED, 0, True, Verdict(False, True, "exited with code 1")),
        ({"Status": "exited", "ExitCode": 0}, 0, True, Verdict(True, False, "finished")),
        ({"Status": "exited", "ExitCode": 0}, 0, False, Verdict(False, True, "exited with code 0")),
        (RUNNING, 0, True, Verdict(False, False, "running")),
        ({**EXITED, "OOMKilled": True}, 0, False, Verdict(False, True, "exited with code 1, out of memory")),
        ({**RUNNING, "ExitCode": 7}, 3, False, Verdict(False, True, "restarted 3 times, last exit code 7")),
    ],
)
def test_judgement(state: Mapping[str, Any], restarts: int, job: bool, expected: Verdict) -> None:
    assert judge(state, restarts, job) == expected


def described(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"State": state, "Config": {"Labels": {}}, "RestartCount": 0}


@pytest.mark.parametrize(
    ("state", "kind", "again"),
    [
        ({**EXITED, "FinishedAt": "2026-01-01T09:59:59.123456789Z"}, "job", True),
        ({**EXITED, "FinishedAt": "2026-01-01T10:00:01.123456789Z"}, "job", False),
        ({**EXITED, "ExitCode": 0, "FinishedAt": "2026-01-01T09:59:59.1Z"}, "job", False),
        ({**RUNNING, "FinishedAt": "0001-01-01T00:00:00Z"}, "job", False),
        ({**EXITED, "FinishedAt": "2026-01-01T09:59:59.1Z"}, "service", False),
    ],
)
def test_only_a_job_that_failed_in_an_earlier_run_is_to_run_again(
    state: Mapping[str, Any], kind: str, again: bool
) -> None:
    found = {"State": state, "Config": {"Labels": {KIND: kind}}}
    assert failed_before(found, datetime(2026, 1, 1, 10, tzinfo=UTC)) is again


def test_one_failure_ends_the_waiting_for_the_others() -> None:
    states = {"slow": health("starting"), "broken": EXITED}
    started = time.monotonic()
    assert wait(list(states), 60, lambda name: described(states[name])) == {"broken": "exited with code 1"}
    assert time.monotonic() - started < 5


def test_time_out_names_who_is_late() -> None:
    late = wait(["slow"], 0, lambda _: described(health("starting")))
    assert late == {"slow": "not ready after 0 s (starting)"}


def test_an_interrupt_ends_the_waiting() -> None:
    states = {"slow": health("starting"), "fine": health("healthy")}
    found = wait(list(states), 60, lambda name: described(states[name]), interrupted=lambda: True)
    assert found == {"slow": "interrupted before it was ready"}


def test_all_healthy_is_empty() -> None:
    assert wait(["a", "b"], 1, lambda _: described(health("healthy"))) == {}
