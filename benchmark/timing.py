"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

PHASES = ("data", "forward", "backward", "optimiser", "checkpoint")
RAW_LIMIT = 2000


class StepTimer:
    """`begin()`, then `end(phase)` after each phase of a step. Seconds, on a synchronised device.

    On a GPU the synchronisation itself costs time, so `synchronise` is called only on each
    `every`-th step; the other steps count in the throughput, not in the breakdown.
    """

    def __init__(self, synchronise: Callable[[], None], every: int = 1) -> None:
        self.synchronise, self.every = synchronise, every
        self.rows: list[dict[str, float]] = []
        self.current: dict[str, float] = {}
        self.mark = 0.0

    def begin(self) -> None:
        self.current = dict.fromkeys(PHASES, 0.0)
        self.mark = time.perf_counter()

    def end(self, phase: str) -> None:
        if len(self.rows) % self.every == 0:
            self.synchronise()
        now = time.perf_counter()
        self.current[phase] += now - self.mark
        self.mark = now

    def finish(self) -> None:
        self.rows.append(self.current)

    def summary(self, batch_size: int, load_s: float = 0.0) -> dict[str, Any]:
        """Over the steps after warm-up: the first 2 %, at least 5 (all of a run shorter than 10 count).

        Accelerator utilisation is compute time ÷ running time. `utilisation` counts the steps alone, as
        once the data are in memory; `utilisation_cold` adds the seconds of reading them from the store.
        """
        warmup = max(5, len(self.rows) // 50) if len(self.rows) >= 10 else 0
        rows = self.rows[warmup:]
        if not rows:
            return {}
        totals = np.array([sum(row.values()) for row in rows])
        sampled = rows[(-warmup) % self.every :: self.every] or rows
        phases = {name: float(np.mean([row[name] for row in sampled])) for name in PHASES}
        busy = sum(phases[name] for name in ("forward", "backward", "optimiser"))
        utilisation = busy / sum(phases.values())
        stepping_s = sum(sum(row.values()) for row in self.rows)
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
