"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

PHASES = ("data", "forward", "backward", "all_reduce", "optimiser", "checkpoint")
RAW_LIMIT = 2000
# A GPU is waited for after each phase of every tenth step only: waiting lets its queue run empty.
EVERY = {"cpu": 1, "cuda": 10}


def warmup_of(steps: int, every: int = 1) -> int:
    """Steps that do not count: the first 2 %, at least 5, up to where the device is waited for; none of a
    run shorter than twice that."""
    least = max(5, steps // 50)
    warmup = -(-least // every) * every
    return warmup if steps >= 2 * warmup else 0


COMPUTING = ("forward", "backward", "optimiser")
FED = (*COMPUTING, "all_reduce")  # neither waiting for data nor writing checkpoints


def compute_share(run: Mapping[str, Any]) -> float | None:
    """Share of a step in which this rank computes: not for data, checkpoints, nor waiting for other ranks.

    None without a breakdown.
    """
    phases = run.get("breakdown_s") or {}
    total = sum(phases.values())
    return sum(phases.get(name, 0.0) for name in COMPUTING) / total if total else None


class LastGradient:
    """When a backward pass had its last gradient, on a CPU: what it does after that is all-reduce.

    DistributedDataParallel exchanges gradients while the pass goes on. What it hides costs nothing; what
    is left begins when this rank has nothing more to compute, and its wait for a slower rank is in it.
    """

    def __init__(self, parameters: Iterable[Any]) -> None:
        self.moment = 0.0
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._seen)

    def _seen(self, _: Any) -> None:
        self.moment = time.perf_counter()


class StepTimer:
    """`begin()`, then `end(phase)` after each phase of a step, then `finish()`. Seconds.

    A GPU works through a queue, so the clock shows when work was queued, not when it was done, unless one
    waits. `synchronise` waits. It is called after each phase of each `every`-th step, and the breakdown comes
    from these steps; at the end of the step before, so that they begin with an empty queue; and in
    `settle()`, to be called before anything that waits by itself, else that wait is on no clock. Steps
    between two waits share their time evenly.
    """

    def __init__(self, synchronise: Callable[[], None], every: int = 1) -> None:
        self.synchronise, self.every = synchronise, every
        self.rows: list[dict[str, float]] = []
        self.settled: list[int] = []  # numbers of steps after which the queue was empty
        self.current: dict[str, float] = {}
        self.mark = 0.0

    def begin(self) -> None:
        self.current = dict.fromkeys(PHASES, 0.0)
        self.mark = time.perf_counter()

    def end(self, phase: str) -> None:
        if len(self.rows) % self.every == 0:
            self.synchronise()
        self._count(phase)

    def end_at(self, phase: str, moment: float) -> None:
        """The phase ended at `moment` of `time.perf_counter`; what came after belongs to the next one."""
        moment = max(moment, self.mark)
        self.current[phase] += moment - self.mark
        self.mark = moment

    def settle(self) -> None:
        """What is queued was queued by the optimiser, or before it."""
        self.synchronise()
        self._count("optimiser")
        if self.settled[-1:] != [len(self.rows) + 1]:
            self.settled.append(len(self.rows) + 1)

    def finish(self, settle: bool = False) -> None:
        if settle or (len(self.rows) + 1) % self.every == 0:
            self.settle()
        self.rows.append(self.current)

    def _count(self, phase: str) -> None:
        now = time.perf_counter()
        self.current[phase] += now - self.mark
        self.mark = now

    def summary(self, batch_size: int, load_s: float = 0.0) -> dict[str, Any]:
        """Over the steps after warm-up, see `warmup_of`.

        `utilisation` is the share of the time that is not spent on data or checkpoints, waiting for
        other ranks included: what computing is, `compute_share` says. It counts the steps
        alone, as once the data are in memory; `utilisation_cold` adds the seconds of reading them.
        """
        warmup = warmup_of(len(self.rows), self.every)
        rows = self.rows[warmup:]
        if not rows:
            return {}
        every_total = np.array([sum(row.values()) for row in self.rows])
        for start, end in pairwise([0, *self.settled]):
            every_total[start:end] = every_total[start:end].mean()
        totals = every_total[warmup:]
        sampled = rows[:: self.every]  # warm-up ends where a step that waits begins
        phases = {name: float(np.mean([row[name] for row in sampled])) for name in PHASES}
        # Of every step: the queue is empty before a checkpoint, and few of these steps wait by themselves.
        phases["checkpoint"] = float(np.mean([row["checkpoint"] for row in rows]))
        busy = sum(phases[name] for name in FED)
        utilisation = busy / sum(phases.values())
        stepping_s = float(every_total.sum())
        stride = -(-len(totals) // RAW_LIMIT)
        return {
            "samples_per_s": batch_size * len(rows) / float(totals.sum()),
            "median": float(np.median(totals)),
            "p95": float(np.percentile(totals, 95)),
            "phases_s": phases,
            "utilisation": utilisation,
            "utilisation_cold": utilisation * stepping_s / (stepping_s + load_s),
            "steps": len(rows),
            "warmup_steps": warmup,
            "raw_s": [round(float(t), 6) for t in totals[::stride]],
        }
