"""Wait until the start of a plan, with a line of progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TextIO

from benchmark.scheduling.schedule import Plan, show

POLL_S = 1.0
SAY_EVERY = timedelta(minutes=10)  # without a terminal


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def wait(
    plan: Plan,
    clock: Callable[[], datetime] = now,
    sleep: Callable[[float], None] = time.sleep,
    out: TextIO | None = None,
) -> datetime:
    """Return the time at the end of the wait. Short sleeps by the wall clock: a machine may be suspended."""
    out = out or sys.stderr
    terminal, last = out.isatty(), None
    while (at := clock()) < plan.start:
        left = plan.start - at
        text = f"waiting for {show(plan.start)}, {timedelta(seconds=round(left.total_seconds()))} left"
        if terminal:
            print(f"\r\033[K{text}", end="", file=out, flush=True)
        elif last is None or at - last >= SAY_EVERY:
            print(text, file=out, flush=True)
            last = at
        sleep(min(POLL_S, left.total_seconds()))
    if terminal:
        print("\r\033[K", end="", file=out, flush=True)
    return at
