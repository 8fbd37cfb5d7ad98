"""The event log: one JSON line an event, and a checker of counts and order.

The shape is that of the field's training logs: `{"time_ms", "event_type", "key", "value",
"metadata"}` with event types POINT_IN_TIME, INTERVAL_START and INTERVAL_END.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmark.core.advance import STEPS

START, END, POINT = "INTERVAL_START", "INTERVAL_END", "POINT_IN_TIME"


class EventLog:
    """Collects events in memory; `echo` sees each as it happens. `trace`: every step is an event too.

    Any thread may add: checkpoints are logged by the thread that writes them.
    """

    def __init__(
        self, echo: Callable[[dict[str, Any]], None] | None = None, *, trace: bool = False, **metadata: Any
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.echo, self.trace, self.metadata = echo, trace, metadata
        self.lock = threading.Lock()

    def add(self, kind: str, key: str, value: Any = None, **metadata: Any) -> None:
        event = {
            "time_ms": 0,
            "event_type": kind,
            "key": key,
            "value": value,
            "metadata": {**self.metadata, **metadata},
        }
        with self.lock:  # times in the log must not decrease
            event["time_ms"] = time.time_ns() // 1_000_000
            self.events.append(event)
        if self.echo:
            self.echo(event)

    def step(self, done: int) -> None:
        """`done` steps of the schedule are behind; once before the first, then after each."""
        STEPS.add()
        if self.trace:
            self.add(POINT, "step", done)

    def text(self) -> str:
        return as_lines(tuple(self.events))


def as_lines(log: Iterable[dict[str, Any]]) -> str:
    """One JSON object per line; `parse` reads it."""
    return "".join(json.dumps(event, sort_keys=True) + "\n" for event in log)


def parse(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def check(events: Iterable[dict[str, Any]]) -> list[str]:
    """Problems of one run's log (one workload, one seed); empty when it is complete and in order."""
    log = list(events)
    problems = []
    keys = [(event["event_type"], event["key"]) for event in log]
    required = [(POINT, "seed"), (POINT, "data_sha256"), (POINT, "global_batch_size"),
                (START, "init"), (END, "init"),
                (START, "run"), (END, "run")]  # fmt: skip
    for kind, key in required:
        count = keys.count((kind, key))
        if count != 1:
            problems.append(f"{key} ({kind}): occurs {count} times, must occur once")
    if not any(key == "eval_accuracy" for _, key in keys):
        problems.append("eval_accuracy: must occur at least once")
    order = [pair for pair in keys if pair in {(START, "init"), (END, "init"), (START, "run"), (END, "run")}]
    if order != [(START, "init"), (END, "init"), (START, "run"), (END, "run")]:
        problems.append("init and run: must be start and end of init, then start and end of run")
    times = [event["time_ms"] for event in log]
    if times != sorted(times):
        problems.append("time_ms: must not decrease")
    for event in log:
        if event["key"] == "run" and event["event_type"] == END and not event["metadata"].get("status"):
            problems.append("run (INTERVAL_END): metadata.status is missing")
    return problems


def append(path: Path, log: Iterable[dict[str, Any]], fresh: bool) -> None:
    """Add events to a file of one JSON object per line; `fresh` drops its earlier content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w" if fresh else "a", encoding="utf-8") as file:
        file.write(as_lines(log))
