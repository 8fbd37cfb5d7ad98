"""`make alerts` refuses every mistake at once, and tells what became of a trial from counters alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from operations.commands import alerts
from operations.engine import alertmanager
from operations.errors import RefusedError

ASKED = {"test": False, "silence": None, "for_": None, "because": None, "end": None}


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(RefusedError) as found:
        alerts.check(**{**ASKED, "silence": "DiskAlmostFul", "for_": "2w", "end": "7"})  # type: ignore[arg-type]
    for word in ("exclude each other", "DiskAlmostFull", "FOR", "BECAUSE", "END"):
        assert word in str(found.value)


def test_a_whole_silence_is_taken() -> None:
    alerts.check(**{**ASKED, "silence": "DiskAlmostFull", "for_": "2h", "because": "on order"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "lasts"),
    [("90m", timedelta(minutes=90)), ("2h", timedelta(hours=2)), ("30d", timedelta(days=30))],
)
def test_times_are_minutes_hours_and_days(text: str, lasts: timedelta) -> None:
    assert alerts.duration(text) == lasts


@pytest.mark.parametrize("text", ["", "2", "0h", "31d", "2h ", "-1h", "1.5h"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|long"):
        alerts.duration(text)


def told(tries: int, failures: int, given_up: int, receiver: str = "trial") -> str:
    labels = f'integration="webhook",receiver_name="{receiver}"'
    reason = f'integration="webhook",reason="other",receiver_name="{receiver}"'
    return (
        f"{alertmanager.TRIES}{{{labels}}} {tries}\n{alertmanager.FAILURES}{{{labels}}} {failures}\n"
        f"{alertmanager.GIVEN_UP}{{{reason}}} {given_up}\n"
    )


@pytest.mark.parametrize(
    ("now", "verdict"),
    [((4, 2, 1), True), ((5, 4, 2), False), ((4, 3, 1), None), ((3, 2, 1), None)],
)
def test_a_trial_is_judged_by_what_came_since(now: tuple[int, int, int], verdict: bool | None) -> None:
    before, after = alertmanager.counters(told(3, 2, 1)), alertmanager.counters(told(*now))
    assert alertmanager.judge(before, after) == {"webhook": verdict}


def test_counters_of_real_alerts_are_no_trial() -> None:
    assert alertmanager.counters(told(3, 2, 1, receiver="people")) == {}
