"""The event log of a running attempt, kept in the store so that it outlives the process.

`<prefix>.attempts/<start in ms>.jsonl` is one attempt's, so that they sort by their start. It is
written anew at every checkpoint and, where every step is traced, every half second: a crash takes
away no more than that.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from benchmark.core import events
from benchmark.core.documents import get_document
from benchmark.core.errors import BenchmarkError
from benchmark.core.events import EventLog
from benchmark.core.store import Store

TRACE_S = 0.5


class Journal:
    """Keeps `log` until `close`. A failing store is not a reason to stop: checkpoints report it."""

    def __init__(self, store: Store, prefix: str, log: EventLog) -> None:
        self.store, self.log = store, log
        self.key = f"{prefix}.attempts/{time.time_ns() // 1_000_000:013d}.jsonl"
        self.written, self.turn = -1, threading.Lock()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._keep, name="journal", daemon=True)
        log.echo = self._heard
        if log.trace:
            self.thread.start()

    def write(self) -> None:
        with self.turn, suppress(BenchmarkError):
            count = len(self.log.events)
            if count != self.written:
                self.store.put(self.key, self.log.text().encode())
                self.written = count

    def close(self) -> None:
        self.ended.set()
        if self.log.trace:
            self.thread.join()
        self.log.echo = None
        self.write()

    def _heard(self, event: dict[str, Any]) -> None:
        if event["key"] == "checkpoint":
            self.write()

    def _keep(self) -> None:
        while not self.ended.wait(TRACE_S):
            self.write()


def read(store: Store, prefix: str) -> list[list[dict[str, Any]]]:
    """The log of each attempt, in the order of their starts."""
    keys = sorted(store.list(f"{prefix}.attempts/"))
    return [events.parse(get_document(store, key).decode()) for key in keys]
