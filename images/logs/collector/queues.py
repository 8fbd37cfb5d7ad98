"""What waits to be stored: a queue for each service, so that one that floods pushes out no other."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable

from .datagrams import Line

# Of an entry, beside its text: bytes of the objects around it.
OVERHEAD = 400


class Bucket:
    """`burst` lines at once, and `rate` a second over time."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, now

    def takes(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Queues:
    """Lines by service. `received`, `limited`, `full` and `cut` count lines since the start."""

    def __init__(self, services: Iterable[str], rate: float, burst: float, waiting: int, now: float) -> None:
        """`waiting`: bytes that may wait for each service."""
        names = tuple(services)
        self._lock = threading.Lock()
        self._lines: dict[str, deque[Line]] = {name: deque() for name in names}
        self._bytes = dict.fromkeys(names, 0)
        self._buckets = {name: Bucket(rate, burst, now) for name in names}
        self._inside = set[tuple[str, str]]()
        self._most = waiting
        # All from the start: where a counter begins with what a flood has left, the flood is no increase.
        none = dict.fromkeys(names, 0)
        self.received, self.limited = Counter(none), Counter(none)
        self.full, self.cut = Counter(none), Counter(none)

    def put(self, line: Line, now: float) -> None:
        """Take a line, or count it as left out. Raises KeyError for a service that there is not."""
        name, output = line.service, (line.service, line.stream)
        with self._lock:
            queue = self._lines[name]
            self.received[name] += 1
            # A secret that the engine has cut in two would not be recognised: the rest of a line is left out.
            if output in self._inside:
                if not line.piece:
                    self._inside.discard(output)
                self.cut[name] += 1
                return
            if line.piece:
                self._inside.add(output)
            size = len(line.text) * 2 + OVERHEAD
            if not self._buckets[name].takes(now):
                self.limited[name] += 1
            elif self._bytes[name] + size > self._most:
                self.full[name] += 1
            else:
                queue.append(line)
                self._bytes[name] += size

    def take(self, most: int) -> list[Line]:
        """Up to about `most` bytes, a line of each service in turn."""
        taken: list[Line] = []
        size = 0
        with self._lock:
            waiting = [name for name, queue in self._lines.items() if queue]
            while waiting and size < most:
                for name in waiting:
                    line = self._lines[name].popleft()
                    share = len(line.text) * 2 + OVERHEAD
                    self._bytes[name] -= share
                    size += share
                    taken.append(line)
                waiting = [name for name in waiting if self._lines[name]]
        return taken

    def left_out(self) -> dict[str, int]:
        """Lines that were not kept since the start, by service."""
        with self._lock:
            return dict(self.limited + self.full)
