"""What vmalert says, looked at all the time: when each alert was about to fire, and when it did."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from operations.documents import Alert
from operations.engine import alerts
from operations.engine.client import connect

State = Literal["pending", "firing"]
EVERY_S = 5.0


@dataclass
class Seen:
    """An alert as it was seen: its summaries, and seconds from the watch's beginning until each state."""

    said: set[str] = field(default_factory=set)
    since: dict[State, float] = field(default_factory=dict)
    most: int = 0


class Watch:
    """Looks at the alerts of a stack until it is left."""

    def __init__(self, stack: str) -> None:
        self._stack, self._engine, self._began = stack, connect(), time.monotonic()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._seen: dict[str, Seen] = {}
        self.looks = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    @property
    def seconds(self) -> float:
        """Since the watch began."""
        return time.monotonic() - self._began

    def of(self, name: str) -> Seen:
        """What was seen of an alert so far."""
        with self._lock:
            return self._seen.get(name, Seen())

    def names(self, state: State) -> set[str]:
        """The alerts that were ever in that state."""
        with self._lock:
            return {name for name, seen in self._seen.items() if state in seen.since}

    def _look(self) -> None:
        while not self._over.wait(EVERY_S):
            # None while the metrics service is away, as a cause may have it.
            now = alerts.ask(self._engine, self._stack)
            self.looks += now is not None
            self._note(now or [])

    def _note(self, now: list[Alert]) -> None:
        with self._lock:
            for alert in now:
                seen = self._seen.setdefault(alert.name, Seen())
                seen.said.add(alert.summary)
                first = alert.state not in seen.since
                seen.since.setdefault(alert.state, self.seconds)
                seen.most = max(seen.most, sum(a.name == alert.name and a.state == "firing" for a in now))
                if first:
                    print(f"{self.seconds:6.0f} s  {alert.state:8}{alert.name}: {alert.summary}", flush=True)
