"""Recovery from time lines: no fault, faults early and late, two of them, one that nothing follows."""

from __future__ import annotations

from typing import Any

from benchmark.analysis.recovery import Attempt, attempts, drawn, of_fault, summary, useful
from benchmark.core.events import END, POINT, START

STEP_MS = 100


def attempt(start_ms: int, first: int, last: int, *, load_ms: int = 1000, every: int = 10) -> Attempt:
    """An attempt that loads for `load_ms`, then takes 100 ms a step; checkpoints 50 ms after they are due."""
    begin = start_ms + load_ms
    points = tuple((begin + STEP_MS * (step - first), step) for step in range(first, last + 1))
    saved = tuple((at + 50, step) for at, step in points[1:] if step % every == 0)
    return Attempt(start_ms, points[-1][0], points, saved, finished=last == 50)


def test_without_a_fault_only_the_start_is_no_goodput() -> None:
    found = summary([attempt(0, 0, 50)])
    assert (found["restarts"], found["steps"], found["finished"]) == (0, 50, True)
    assert (found["wall_s"], found["useful_s"], found["goodput"]) == (6.0, 5.0, 0.8333)


def test_training_resumes_at_the_last_checkpoint() -> None:
    line = [attempt(0, 0, 27), attempt(10_000, 20, 50)]
    found = of_fault(line, 3_650)  # after step 26; step 27 was under way
    assert (found["last_step"], found["last_checkpoint"], found["resumed_from"]) == (27, 20, 20)
    assert found["steps_redone"] == 7
    assert found["restart_s"] == 7.45
    assert found["recovery_s"] == 8.15  # step 28, the first new one
    assert found["not_measured"] == {}


def test_redone_steps_are_not_useful_twice() -> None:
    found = summary([attempt(0, 0, 27), attempt(10_000, 20, 50)], [3_650])
    assert found["useful_s"] == 5.0
    assert found["goodput"] == round(5.0 / 14.0, 4)


def test_before_the_first_checkpoint_all_is_redone() -> None:
    found = of_fault([attempt(0, 0, 7), attempt(10_000, 0, 50)], 1_720)
    assert (found["last_checkpoint"], found["resumed_from"], found["steps_redone"]) == (0, 0, 7)


def test_a_fault_while_data_are_loaded_costs_no_step() -> None:
    cut = Attempt(0, 500, ())
    found = of_fault([cut, attempt(5_000, 0, 50)], 600)
    assert (found["last_step"], found["steps_redone"]) == (0, 0)
    assert found["recovery_s"] == found["restart_s"] == 5.5


def test_a_second_fault_before_new_progress_counts_in_the_first_recovery() -> None:
    line = [attempt(0, 0, 27), attempt(10_000, 20, 24), attempt(20_000, 20, 50)]
    first, second = summary(line, [3_650, 11_450])["faults"]
    assert first["recovery_s"] == 18.15
    assert first["restart_s"] == 7.45
    assert second["recovery_s"] == 10.35
    assert second["steps_redone"] == 27 - 20


def test_two_faults_in_one_attempt_share_their_recovery() -> None:
    line = [attempt(0, 0, 27), attempt(10_000, 20, 50)]
    first, second = summary(line, [3_000, 3_650])["faults"]
    assert first["last_step"] == second["last_step"] == 27
    assert round(first["recovery_s"] - second["recovery_s"], 3) == 0.65


def test_a_fault_that_training_outlives_costs_nothing_again() -> None:
    found = of_fault([attempt(0, 0, 50)], 3_650)
    assert found["interrupted"] is False
    assert (found["last_checkpoint"], found["resumed_from"], found["steps_redone"]) == (20, 26, 0)
    assert found["recovery_s"] == found["restart_s"] == 0.05


def test_no_recovery_is_null_with_its_reason() -> None:
    found = of_fault([attempt(0, 0, 27)], 4_000)
    assert found["recovery_s"] is found["restart_s"] is found["steps_redone"] is None
    assert found["not_measured"] == {
        "restart_s": "no step was done after the fault",
        "recovery_s": "no step beyond 27 was done after the fault",
    }


def test_a_restart_that_stays_behind_has_not_recovered() -> None:
    found = of_fault([attempt(0, 0, 27), attempt(10_000, 20, 25)], 3_750)
    assert found["restart_s"] is not None
    assert found["recovery_s"] is None


def test_nothing_at_all_is_no_division_by_zero() -> None:
    assert summary([])["goodput"] is None


def event(at: int, key: str, value: Any = None, kind: str = POINT) -> dict[str, Any]:
    return {"time_ms": at, "event_type": kind, "key": key, "value": value, "metadata": {}}


def test_attempts_are_read_from_event_logs() -> None:
    cut = [event(5, "seed", 1), event(10, "run", kind=START), event(20, "step", 0), event(30, "step", 1)]
    whole = [
        event(90, "seed", 1),
        event(95, "step", 1),
        event(99, "checkpoint", 2),
        event(99, "run", kind=END),
    ]
    assert attempts([cut, [], whole]) == [
        Attempt(5, 30, ((20, 0), (30, 1))),
        Attempt(90, 99, ((95, 1),), ((99, 2),), finished=True),
    ]


def test_a_step_counts_with_its_last_execution() -> None:
    slow = Attempt(0, 900, ((0, 0), (900, 1)))
    assert useful([slow, Attempt(1000, 1100, ((1050, 0), (1100, 1)))]) == {1: 50}


def test_a_long_time_line_is_thinned_but_keeps_its_end() -> None:
    (points,) = drawn([attempt(0, 0, 1000)], 0, limit=100)
    assert len(points) <= 102
    assert points[-1] == [101.0, 1000]
