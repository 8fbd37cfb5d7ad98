"""CPU and memory of every container of a stack over some time, from the engine's counters.

The control group's own peak includes file cache, which the kernel drops when it is short: after some reading
it equals the limit. What cannot be dropped is anonymous and shared memory, so its highest of many readings is
what counts here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from docker.errors import DockerException

from components.runtime.labels import ROLE
from operations.engine.client import Engine
from operations.measuring.documents import ServiceUsage

EVERY = 1.0  # seconds between readings
ANONYMOUS = ("active_anon", "inactive_anon")


@dataclass
class Readings:
    """Of one container: `cpu_s` so far at its first and newest reading, memory in bytes."""

    role: str
    first: tuple[float, float]
    newest: tuple[float, float]
    limit: int
    memory: list[int] = field(default_factory=list)


class Watch:
    """Reads from `with` to the end of its block; containers that start meanwhile are noticed."""

    def __init__(self, engine: Engine, stack: str) -> None:
        self.engine, self.stack = engine, stack
        self.found: dict[str, Readings] = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._read()
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join()
        self._read()

    def _work(self) -> None:
        while not self.stop.wait(EVERY):
            self._read()

    def _read(self) -> None:
        """A container that ends meanwhile keeps its earlier readings."""
        try:
            running = [c for c in self.engine.containers(self.stack) if c.running]
        except DockerException:
            return
        with ThreadPoolExecutor(max_workers=4) as pool:
            raws = list(pool.map(self._stats, [c.name for c in running]))
        for container, (moment, raw) in zip(running, raws, strict=True):
            if (memory := kept(raw)) is None:
                continue
            reading = (moment, raw["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)
            limit = int(raw["memory_stats"].get("limit", 0))
            role = container.labels.get(ROLE, "tool")
            known = self.found.setdefault(container.name, Readings(role, reading, reading, limit))
            known.newest = reading
            known.memory.append(memory)

    def _stats(self, name: str) -> tuple[float, Mapping[str, Any]]:
        try:
            raw: Mapping[str, Any] = self.engine.client.api.stats(name, stream=False, one_shot=True)
        except DockerException:
            raw = {}
        return time.monotonic(), raw

    def rows(self) -> list[ServiceUsage]:
        """One row for each container that was seen, by name."""
        return [row(self.stack, name, readings) for name, readings in sorted(self.found.items())]


def kept(raw: Mapping[str, Any]) -> int | None:
    """Bytes that the kernel cannot drop, control groups v1 and v2; None where the container has ended."""
    details = raw.get("memory_stats", {}).get("stats")
    if not details:
        return None
    # Without swap these lists hold all of it, and shared memory, too. In v1 only `total_` counts descendants.
    return sum(int(details.get(f"total_{name}", details.get(name, 0))) for name in ANONYMOUS)


def row(stack: str, container: str, readings: Readings) -> ServiceUsage:
    """`cpus` is None where there was one reading only."""
    seconds = readings.newest[0] - readings.first[0]
    used = readings.newest[1] - readings.first[1]
    return ServiceUsage(
        name=container.removeprefix(f"aidc-{stack}-"),
        role=readings.role,
        cpus=used / seconds if seconds > 0 else None,
        memory_bytes=readings.memory[-1],
        peak_bytes=max(readings.memory),
        limit_bytes=readings.limit,
    )


def total(rows: Sequence[ServiceUsage]) -> tuple[float, int]:
    """CPUs and bytes of all rows."""
    return sum(row.cpus or 0.0 for row in rows), sum(row.memory_bytes for row in rows)
