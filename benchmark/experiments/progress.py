"""How far a run is: which workload and seed of how many, and about how long the training still takes.

Work is estimated from the sizes of the models, time from the time that the finished work has taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.core.config import GptConfig, Workload
from benchmark.model import models

STEP_S = 0.003  # per step, whatever the model
SPEED = 20e9  # FLOP/s per rank: only the ratio to STEP_S matters
FIRST_ESTIMATE_S = 5.0  # no estimate before that
JOB_S = 15.0  # from the start of a job to its first step


def work(workload: Workload, ranks: int) -> float:
    """Of one seed, roughly in seconds on an unknown machine."""
    tokens = workload.model.context if isinstance(workload.model, GptConfig) else 1
    flop = models.build(workload.model).flops_per_sample() * workload.training.batch_size * tokens
    return workload.training.steps * (STEP_S + flop / SPEED / ranks)


class Progress:
    """Follows the messages of the jobs, one workload after the other, and says how far they are."""

    def __init__(
        self, workloads: Sequence[Workload], ranks: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.workloads = list(workloads)
        self.weights = {w.name: work(w, ranks) for w in workloads}
        self.clock = clock
        self.first: tuple[float, float] | None = None  # time and work at the first reported step

    def line(self, content: dict[str, Any]) -> str | None:
        """`workload 1 of 3, seed 2 of 3, about 4 min left`; None if it is not a training step."""
        number = next((i for i, w in enumerate(self.workloads) if w.name == content.get("workload")), None)
        if number is None or content.get("seed") not in self.workloads[number].seeds:
            return None
        workload = self.workloads[number]
        seed = workload.seeds.index(content["seed"])
        part = content.get("step", 0) / (content.get("steps") or workload.training.steps)
        done = sum(self.weights[w.name] * len(w.seeds) for w in self.workloads[:number])
        done += self.weights[workload.name] * (seed + part)
        text = f"workload {number + 1} of {len(self.workloads)}, seed {seed + 1} of {len(workload.seeds)}"
        left = self._left_s(done, len(self.workloads) - number - 1)
        return text if left is None else f"{text}, {duration_text(left)} left"

    def _left_s(self, done: float, jobs: int) -> float | None:
        """None while unknown. The start of a job does not count for the speed, but for the time left."""
        whole = sum(self.weights[w.name] * len(w.seeds) for w in self.workloads)
        now = self.clock()
        began, at = self.first = self.first or (now, done)
        if now - began < FIRST_ESTIMATE_S or done - at <= 0:
            return None
        return (now - began) * (whole - done) / (done - at) + jobs * JOB_S


def duration_text(seconds: float) -> str:
    """No more digits than an estimate deserves."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
