"""What a fault costs, from time lines alone: pure functions, no stack.

A time line is an attempt's list of (time in ms, steps done): the first point before its first
step, then one after each. A restart begins a new attempt, at the step of the checkpoint it loads.

recovery      fault → first step beyond the last one done before it: seconds until progress is new
restart       fault → first step of any kind
steps redone  steps done before the fault and again after it
goodput       time of the steps that count (each step's last execution) ÷ time from the start of the
              first attempt to the end of the last
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmark.core.events import END

Event = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One start of the training loop. `points` and `checkpoints` are (time in ms, steps done)."""

    start_ms: int
    end_ms: int
    points: tuple[tuple[int, int], ...]
    checkpoints: tuple[tuple[int, int], ...] = ()
    finished: bool = False

    @property
    def first(self) -> int:
        """The step it begins at; 0 when it died before the loop."""
        return self.points[0][1] if self.points else 0


def attempts(logs: Sequence[Sequence[Event]]) -> list[Attempt]:
    """From the event logs of the attempts in order; a log without events is left out."""
    found = []
    for log in logs:
        if not log:
            continue
        found.append(
            Attempt(
                start_ms=log[0]["time_ms"],
                end_ms=log[-1]["time_ms"],
                points=tuple((e["time_ms"], e["value"]) for e in log if e["key"] == "step"),
                checkpoints=tuple((e["time_ms"], e["value"]) for e in log if e["key"] == "checkpoint"),
                finished=any(e["key"] == "run" and e["event_type"] == END for e in log),
            )
        )
    return found


def of_fault(line: Sequence[Attempt], fault_ms: int) -> dict[str, Any]:
    """What the fault at `fault_ms` cost. Seconds are null, with a reason, where nothing followed.

    The attempt that a fault ends may do a step or two more before it notices: they count as done
    before the fault. Without a later attempt the fault ended none, and the same one went on.
    """
    before = [a for a in line if a.start_ms <= fault_ms]
    after = [a for a in line if a.start_ms > fault_ms]
    missing: dict[str, str] = {}
    saved = [(at, step) for a in before for at, step in a.checkpoints if after or at <= fault_ms]
    checkpoint = max((step for _, step in saved), default=0)
    if after:
        last = max((step for a in before for _, step in a.points), default=0)
        ahead = [point for a in after for point in a.points[1:]]
        resumed = next((a.first for a in after if a.points), None)
    else:
        last = max((step for a in before for at, step in a.points if at <= fault_ms), default=0)
        ahead = [point for a in before for point in a.points[1:] if point[0] > fault_ms]
        resumed = last if ahead else None
    again = min((at for at, _ in ahead), default=None)
    new = min((at for at, step in ahead if step > last), default=None)
    if resumed is None or again is None:
        missing["restart_s"] = "no step was done after the fault"
    if new is None:
        missing["recovery_s"] = f"no step beyond {last} was done after the fault"
    return {
        "fault_ms": fault_ms,
        "interrupted": bool(after),
        "last_step": last,
        "last_checkpoint": checkpoint,
        "resumed_from": resumed,
        "steps_redone": None if resumed is None else max(0, last - resumed),
        "restart_s": _seconds(fault_ms, again),
        "recovery_s": _seconds(fault_ms, new),
        "not_measured": missing,
    }


def summary(line: Sequence[Attempt], faults_ms: Sequence[int] = ()) -> dict[str, Any]:
    """All faults of one run, its restarts and its goodput (null where no step was timed)."""
    useful_ms = sum(useful(line).values())
    wall_ms = line[-1].end_ms - line[0].start_ms if line else 0
    return {
        "faults": [of_fault(line, at) for at in faults_ms],
        "attempts": len(line),
        "restarts": max(0, len(line) - 1),
        "steps": max((step for a in line for _, step in a.points), default=0),
        "finished": bool(line) and line[-1].finished,
        "wall_s": round(wall_ms / 1e3, 3),
        "useful_s": round(useful_ms / 1e3, 3),
        "goodput": round(useful_ms / wall_ms, 4) if wall_ms and useful_ms else None,
    }


def useful(line: Sequence[Attempt]) -> dict[int, int]:
    """Step → milliseconds of its last execution, the one whose effect is in the final model."""
    times = {}
    for attempt in line:
        for (begin, _), (end, step) in pairwise(attempt.points):
            times[step] = end - begin
    return times


def drawn(line: Sequence[Attempt], origin_ms: int, limit: int = 150) -> list[list[list[float]]]:
    """Time lines for a plot: of each attempt at most `limit` points [seconds from the origin, step]."""
    found = []
    for attempt in line:
        stride = max(1, -(-len(attempt.points) // limit))
        kept = {*attempt.points[::stride], *attempt.points[-1:]}
        found.append([[round((at - origin_ms) / 1e3, 3), step] for at, step in sorted(kept)])
    return found


def _seconds(begin_ms: int, end_ms: int | None) -> float | None:
    return None if end_ms is None else round((end_ms - begin_ms) / 1e3, 3)
