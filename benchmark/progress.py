"""How far a run is: which workload and seed of how many, and about how long the training still takes.

Work is guessed from the models' sizes, time from how long what is done has taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmark import models
from benchmark.config import GptConfig, Workload

STEP_S = 0.003  # of a step, whatever the model
SPEED = 20e9  # FLOP/s of a rank: only the relation to STEP_S counts
TELLING = 0.02  # of the work: before that nothing is said of the time


def work(workload: Workload, ranks: int) -> float:
    """Of one seed, about in seconds on an unknown machine."""
    tokens = workload.model.context if isinstance(workload.model, GptConfig) else 1
    flop = models.build(workload.model).flops_per_sample() * workload.training.batch_size * tokens
    return workload.training.steps * (STEP_S + flop / SPEED / ranks)


class Progress:
    """Hears the messages of the jobs, one workload after the other, and says where they are."""

    def __init__(
        self, workloads: Sequence[Workload], ranks: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.workloads = list(workloads)
        self.weights = {w.name: work(w, ranks) for w in workloads}
        self.clock, self.start = clock, clock()

    def line(self, content: dict[str, Any]) -> str | None:
        """`workload 1 of 3, seed 2 of 3, about 4 min left`; None for what is no training step."""
        number = next((i for i, w in enumerate(self.workloads) if w.name == content.get("workload")), None)
        if number is None or content.get("seed") not in self.workloads[number].seeds:
            return None
        workload = self.workloads[number]
        seed, seeds = workload.seeds.index(content["seed"]), len(workload.seeds)
        part = content.get("step", 0) / (content.get("steps") or workload.training.steps)
        done = sum(self.weights[w.name] * len(w.seeds) for w in self.workloads[:number])
        done += self.weights[workload.name] * (seed + part)
        whole = sum(self.weights[w.name] * len(w.seeds) for w in self.workloads)
        text = f"workload {number + 1} of {len(self.workloads)}, seed {seed + 1} of {seeds}"
        if done < TELLING * whole:
            return text
        return f"{text}, {in_words((self.clock() - self.start) * (whole - done) / done)} left"


def in_words(seconds: float) -> str:
    """No more digits than a guess has."""
    if seconds < 10:
        return "some seconds"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 90 else f"about {minutes / 60:.1f} h"
