"""What counts as ready, what as failed, and that a failure is reported at once."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.runtime.health import SETTLED_AFTER, Verdict, Waiting, failed_before, judge, wait
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
        (health("unhealthy", "no table"), 0, False, Verdict(False, True, "unhealthy: no table", True)),
        (RESTARTING, 1, False, Verdict(False, False, "restarting")),
        (RESTARTING, 3, False, Verdict(False, True, "restarted 3 times, last exit code 1", True)),
        (EXITED, 0, False, Verdict(False, True, "exited with code 1")),
        (EXITED, 0, True, Verdict(False, True, "exited with code 1")),
        ({"Status": "exited", "ExitCode": 0}, 0, True, Verdict(True, False, "finished")),
        ({"Status": "exited", "ExitCode": 0}, 0, False, Verdict(False, True, "exited with code 0")),
        (RUNNING, 0, True, Verdict(False, False, "running")),
        ({**EXITED, "OOMKilled": True}, 0, False, Verdict(False, True, "exited with code 1, out of memory")),
        (
            {**RUNNING, "ExitCode": 7},
            3,
            False,
            Verdict(False, True, "restarted 3 times, last exit code 7", True),
        ),
        (health("healthy"), 3, False, Verdict(True, False, "healthy")),
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


NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)


def looked(waiting: Waiting, after: float, restarts: int = 0, **states: Mapping[str, Any]) -> dict[str, str]:
    """The faults of containers in these states, so many seconds after NOW, when all of them started."""
    started = {"StartedAt": NOW.isoformat(), "FinishedAt": "0001-01-01T00:00:00Z"}
    found = {
        name: {
            "State": {**started, **state},
            "Config": {"Labels": {KIND: "job" if name == "setup" else "service"}},
            "RestartCount": restarts,
        }
        for name, state in states.items()
    }
    moment = NOW + timedelta(seconds=after)
    waiting.look(found, moment)
    return waiting.faults(moment)


SETTLED = SETTLED_AFTER.total_seconds()
LONG = 3600.0
ILL = health("unhealthy", "no roles")


def test_what_is_unhealthy_while_a_job_sets_something_up_is_waited_for() -> None:
    assert looked(Waiting(), LONG, database=ILL, setup=RUNNING) == {}


def test_what_is_unhealthy_while_another_one_starts_is_waited_for() -> None:
    assert looked(Waiting(), LONG, backup=ILL, database=health("starting")) == {}


def test_what_is_unhealthy_although_everything_was_set_up_long_ago_has_failed() -> None:
    done = {**EXITED, "ExitCode": 0}
    assert looked(Waiting(), LONG, backup=ILL, setup=done) == {"backup": "unhealthy: no roles"}


def test_what_is_unhealthy_has_time_after_the_set_up_has_ended() -> None:
    waiting, end = Waiting(), LONG
    ended = {**EXITED, "ExitCode": 0, "FinishedAt": (NOW + timedelta(seconds=end)).isoformat()}
    assert looked(waiting, end - 1, backup=ILL, setup=RUNNING) == {}
    assert looked(waiting, end, backup=ILL, setup=ended) == {}
    assert looked(waiting, end + SETTLED - 1, backup=ILL, setup=ended) == {}
    assert looked(waiting, end + SETTLED + 1, backup=ILL, setup=ended) == {"backup": "unhealthy: no roles"}


def test_what_is_unhealthy_has_time_after_another_one_has_become_healthy() -> None:
    waiting = Waiting()
    looked(waiting, LONG, backup=ILL, database=health("starting"))
    assert looked(waiting, LONG + 1, backup=ILL, database=health("healthy")) == {}
    assert looked(waiting, LONG + 2 + SETTLED, backup=ILL, database=health("healthy"))


def test_what_has_just_started_is_not_failed_because_it_is_unhealthy() -> None:
    assert looked(Waiting(), SETTLED - 1, vault=ILL) == {}
    assert looked(Waiting(), SETTLED + 1, vault=ILL) == {"vault": "unhealthy: no roles"}


def test_an_engine_whose_clock_is_ahead_makes_nothing_wait_for_longer() -> None:
    waiting = Waiting()
    ahead = {**ILL, "StartedAt": "2036-01-01T00:00:00Z"}
    assert looked(waiting, 0, vault=ahead) == {}
    assert looked(waiting, SETTLED + 1, vault=ahead) == {"vault": "unhealthy: no roles"}


def test_restarts_of_before_the_wait_are_no_fault() -> None:
    assert looked(Waiting(), LONG, restarts=7, tracking=health("starting")) == {}


def test_restarts_during_the_wait_are_a_fault_at_once() -> None:
    waiting = Waiting()
    looked(waiting, 0, restarts=2, tracking=RESTARTING, setup=RUNNING)
    assert looked(waiting, 1, restarts=4, tracking=RESTARTING, setup=RUNNING) == {}
    assert "tracking" in looked(waiting, 2, restarts=5, tracking=RESTARTING, setup=RUNNING)


def test_a_time_out_gives_the_reason_of_what_is_unhealthy() -> None:
    states = {"slow": health("starting"), "backup": ILL}
    late = wait(list(states), 0, lambda name: described(states[name]))
    assert late == {"slow": "not ready after 0 s (starting)", "backup": "unhealthy: no roles"}


def test_a_word_on_what_is_waited_for_names_the_reason_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.runtime.health.TELL_EVERY", 0.0)
    states, told = {"slow": health("starting"), "backup": health("unhealthy", "no\nroles")}, list[str]()
    wait(list(states), 0.1, lambda name: described(states[name]), tell=told.append)
    assert told[0] == "backup (unhealthy: no roles), slow (starting)"


def test_a_word_on_what_is_waited_for_stays_short() -> None:
    waiting = Waiting()
    ill = {f"node{n}": described(health("unhealthy", "x" * 10_000)) for n in range(100)}
    waiting.look(ill, NOW)
    assert len(waiting.text()) < 1000
    assert waiting.text().endswith("95 more")
