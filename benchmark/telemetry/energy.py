"""Energy of a training run: counters sampled while it runs, idle power subtracted.

Gross is what the counters say; net is what the run added to an idle machine. Every figure is
labelled with what it covers, and is null with a reason where it was not measured: a short window
that reads nothing is not a run that took nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmark.telemetry import counters
from benchmark.telemetry.counters import Domain, NotMeasured

EVERY_S = 0.25  # between two samples
LARGEST_GAP_S = 1.0  # watts between two samples are a guess; counters forget nothing
IDLE_S = 3.0
Sample = tuple[float, float]  # seconds of a steady clock; joules so far or watts now


@dataclass(frozen=True)
class Part:
    """What one domain took. `idle_w` is None where idle power could not be measured."""

    source: str
    name: str
    key: str
    gross_j: float
    seconds: float
    idle_w: float | None


@dataclass(frozen=True)
class Reading:
    """Of one rank: its parts, or none and the reason."""

    parts: tuple[Part, ...] = ()
    reason: str = ""


def counted(samples: Sequence[Sample], wraps_at_j: float | None = None) -> float:
    """Joules between the first and the last sample of a counter that may start again at nothing.

    Right as long as it does so at most once between two samples: package counters take minutes.
    """
    total = 0.0
    for (_, before), (_, after) in pairwise(samples):
        step = after - before
        if step < 0:
            if wraps_at_j is None:
                raise NotMeasured("the energy counter ran backwards: its driver was reset meanwhile")
            step += wraps_at_j
        total += step
    if total <= 0:
        raise NotMeasured(f"the energy counter did not move in {_seconds(samples):.2f} s: too short a run")
    return total


def trapezoid(samples: Sequence[Sample], largest_gap_s: float = LARGEST_GAP_S) -> float:
    """Joules under power samples; NotMeasured where they lie too far apart to say."""
    total = 0.0
    for (t0, w0), (t1, w1) in pairwise(samples):
        if t1 - t0 > largest_gap_s:
            raise NotMeasured(f"power samples {t1 - t0:.1f} s apart, more than {largest_gap_s:g} s")
        total += (t1 - t0) * (w0 + w1) / 2
    if total <= 0:
        raise NotMeasured(f"the power meter read 0 W for {_seconds(samples):.2f} s: too short a run")
    return total


def integrate(domain: Domain, samples: Sequence[Sample]) -> float:
    try:
        return counted(samples, domain.wraps_at_j) if domain.counts else trapezoid(samples)
    except NotMeasured as reason:
        raise NotMeasured(f"{domain.source}, {domain.name}: {reason}") from None


def _seconds(samples: Sequence[Sample]) -> float:
    return samples[-1][0] - samples[0][0] if samples else 0.0


class Meter:
    """Samples domains in a thread between `start()` and `stop()`.

    Without domains it measures nothing and says `reason`. A counter that fails on the way makes the
    reading null; it never stops the training.
    """

    def __init__(
        self,
        domains: Sequence[Domain] = (),
        reason: str = "no energy meter was set up",
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.domains = list(domains)
        self.reason, self.every_s, self.clock, self.sleep = reason, every_s, clock, sleep
        self.idle_w: list[float] | None = None
        self.idle_reason = "idle power was not measured"
        self.samples: list[list[Sample]] = []
        self.failure = ""
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def measure_idle(self, seconds: float = IDLE_S) -> None:
        """Call on all ranks at once, before any of them works."""
        if not self.domains:
            return
        self.start()
        self.sleep(seconds)
        self._end()
        try:
            joules = self._joules()
            self.idle_w = [j / _seconds(s) for j, s in zip(joules, self.samples, strict=True)]
        except NotMeasured as reason:
            self.idle_reason = f"idle power was not measured: {reason}"

    def start(self) -> None:
        self._end()
        self.samples, self.failure = [[] for _ in self.domains], ""
        if not self.domains:
            return
        self.stopping.clear()
        self._sample()
        self.thread = threading.Thread(target=self._work, name="energy", daemon=True)
        self.thread.start()

    def stop(self) -> Reading:
        if not self.domains:
            return Reading(reason=self.reason)
        if self.thread is None:
            return Reading(reason="the energy meter was not started")
        self._end()
        try:
            joules = self._joules()
        except NotMeasured as reason:
            return Reading(reason=str(reason))
        idle: list[float] | list[None] = self.idle_w or [None] * len(self.domains)
        parts = [
            Part(d.source, d.name, d.key, gross_j=j, seconds=_seconds(s), idle_w=w)
            for d, j, s, w in zip(self.domains, joules, self.samples, idle, strict=True)
        ]
        return Reading(tuple(parts), "" if self.idle_w else self.idle_reason)

    def close(self) -> None:
        """End the thread of a run that failed; no more than that."""
        self.stopping.set()
        if self.thread:
            self.thread.join()
            self.thread = None

    def _end(self) -> None:
        if self.thread:
            self.close()
            self._sample()

    def _work(self) -> None:
        while not self.stopping.wait(self.every_s):
            self._sample()

    def _sample(self) -> None:
        if self.failure:
            return
        try:
            for domain, samples in zip(self.domains, self.samples, strict=True):
                value = domain.read()
                samples.append((self.clock(), value))
        except NotMeasured as reason:
            self.failure = str(reason)

    def _joules(self) -> list[float]:
        if self.failure:
            raise NotMeasured(self.failure)
        return [integrate(d, s) for d, s in zip(self.domains, self.samples, strict=True)]


def meter_for(device: str, find: Callable[[str], list[Domain]] = counters.find) -> Meter:
    try:
        return Meter(find(device))
    except NotMeasured as reason:
        return Meter(reason=str(reason))


@dataclass(frozen=True)
class Summary:
    """`energy` goes into the record as it is; `reason` says why `net_j_per_sample` is None."""

    energy: dict[str, Any] | None
    net_j_per_sample: float | None
    reason: str = ""


def summarise(readings: Sequence[Reading], samples: int, unit: str) -> Summary:
    """All ranks together: every counter once, however many ranks saw it. `unit`: "token" or "sample".

    A rank without a reading makes the whole null: the others alone would be too little.
    """
    for rank, reading in enumerate(readings):
        if not reading.parts:
            where = f"rank {rank}: " if len(readings) > 1 else ""
            return Summary(None, None, where + reading.reason)
    once: dict[str, Part] = {}
    for reading in readings:
        for part in reading.parts:
            once.setdefault(part.key, part)
    parts = list(once.values())
    gross = sum(p.gross_j for p in parts)
    energy: dict[str, Any] = {
        "source": ", ".join(dict.fromkeys(p.source for p in parts)),
        "covers": [p.name for p in parts],
        "gross_j": round(gross, 3),
        "idle_w": None,
        "net_j": None,
        "seconds": round(max(p.seconds for p in parts), 3),
        "samples": samples,
        "per": unit,
    }
    idle = [p.idle_w for p in parts if p.idle_w is not None]
    if len(idle) < len(parts):
        return Summary(energy, None, next(r.reason for r in readings if r.reason))
    energy["idle_w"] = round(sum(idle), 3)
    net = gross - sum(w * p.seconds for w, p in zip(idle, parts, strict=True))
    if net <= 0:
        return Summary(energy, None, "the run took no more than the machine did when it was idle before")
    energy["net_j"] = round(net, 3)
    if not samples:
        return Summary(energy, None, "all steps were done before this process started")
    return Summary(energy, net / samples)
