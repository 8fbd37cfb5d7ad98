"""Which ranks of a job have ended well while others still run, said in the job's log. Pure."""

from __future__ import annotations

# Seconds from the first end until it is said; each time it takes twice as long as before.
FIRST_S = 60.0
MEANING = (
    "What waits in a collective (init_process_group, barrier, the gradients of a step) for a rank that has "
    "ended waits in vain: not all ranks made the same calls then, as where one has more batches than another "
    "(DistributedSampler gives each the same number)"
)


class Leaving:
    """`now` is a monotonic clock's, in seconds."""

    def __init__(self, ranks: int, now: float) -> None:
        self._begun, self._ended, self._running = now, dict[int, float](), set(range(ranks))
        self._pause = FIRST_S

    def end(self, rank: int, now: float) -> None:
        """`rank` has ended, now or before."""
        if rank in self._running:
            self._running.remove(rank)
            self._ended[rank] = now

    def told(self, now: float) -> str:
        """What is to be said now, or nothing. It is no error: a rank may well take longer than the others."""
        if not self._ended or not self._running or now - min(self._ended.values()) < self._pause:
            return ""
        self._pause *= 2
        gone = ", ".join(f"rank {rank} {_minutes(now - moment)} ago" for rank, moment in self._ended.items())
        left = ", ".join(f"rank {rank}" for rank in sorted(self._running))
        runs = "runs" if len(self._running) == 1 else "run"
        since = _minutes(now - self._begun)
        return f"ended with exit code 0: {gone}; {left} still {runs}, {since} after the start. {MEANING}"


def _minutes(seconds: float) -> str:
    return f"{round(seconds / 60)} min"
