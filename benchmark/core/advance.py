"""When a rank has last advanced, as a metric of Ray's: `components.monitoring.rules` tells a stall from it.

A rank of the benchmark advances with each step of its training. A user's script cannot be asked: it, and a
training before its first step, advance while they use a processor.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Ray puts its own name before it.
METRIC = "aidc_rank_advanced_timestamp_seconds"
EVERY_S = 15.0
# Of one processor: what waits in a collective, or asks again and again whether something is there, uses less.
BUSY = 0.01


class Steps:
    """Those that this process has made, of all its trainings."""

    def __init__(self) -> None:
        self.made = 0

    def add(self) -> None:
        self.made += 1


STEPS = Steps()


@dataclass
class Sign:
    """What was seen of a rank at `seen`, and when it has last advanced; both in seconds since 1970."""

    seen: float
    advanced: float
    cpu_s: float = 0.0
    steps: int = 0

    def look(self, now: float, cpu_s: float, steps: int) -> float:
        """When it has last advanced, with what is seen now."""
        worked = cpu_s - self.cpu_s >= BUSY * (now - self.seen)
        if steps > self.steps or (not steps and worked):
            self.advanced = now
        self.seen, self.cpu_s, self.steps = now, cpu_s, steps
        return self.advanced


@contextmanager
def told(training: str, cpu_s: Callable[[], float]) -> Iterator[None]:
    """Ray tells of this rank of `training`, until it is left. `cpu_s`: what it has used of processors."""
    over = threading.Event()
    threading.Thread(target=_tell, args=(training, cpu_s, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _tell(training: str, cpu_s: Callable[[], float], over: threading.Event) -> None:
    from ray.util.metrics import Gauge

    gauge = Gauge(METRIC, "When this rank has last advanced.", tag_keys=("training",))
    # A process has one training after the other, or one alone.
    sign = Sign(time.time(), time.time(), cpu_s(), STEPS.made)
    while not over.wait(EVERY_S):
        gauge.set(sign.look(time.time(), cpu_s(), STEPS.made), {"training": training})
