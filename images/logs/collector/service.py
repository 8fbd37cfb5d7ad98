"""Two threads: one takes datagrams and does nothing else, one takes secrets out and stores."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from . import figures, store
from .datagrams import Line, parse
from .queues import Queues
from .redaction import Redactor
from .settings import BATCH, BURST, EVERY, FIGURES, RATE, REPORT, WAITING, WRITE, Stack, stack

# Bytes that wait in the kernel; it gives as much as the host allows.
BUFFER = 4 << 20
LARGEST = 65_535
OWN = "logs"


class Collector:
    """Takes lines until `stop`; then what has come is stored, and `run` ends."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._queues = Queues(stack.services, RATE, BURST, WAITING, time.monotonic())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind((stack.listen, stack.port))
        self._redactors: dict[tuple[str, str], Redactor] = defaultdict(Redactor)
        self._stopped = threading.Event()
        self._said: dict[str, int] = {}
        self._waiting: list[str] = []
        self._stored, self._redacted, self._refused, self._failed = 0, 0, 0, 0
        self._last_report = self._last_write = float("-inf")

    def stop(self, *_: int | FrameType | None) -> None:
        self._stopped.set()

    def run(self) -> None:
        threading.Thread(target=self._take, daemon=True).start()
        while not self._stopped.wait(EVERY):
            self._turn()
        self._turn()

    def _take(self) -> None:
        while True:
            raw, (sender, _) = self._socket.recvfrom(LARGEST)
            line = parse(raw) if sender == self._stack.gateway else None
            if line is None or line.service not in self._stack.services:
                self._refused += 1
                continue
            self._queues.put(line, time.monotonic())

    def _turn(self) -> None:
        now = time.monotonic()
        if now - self._last_report >= REPORT:
            self._last_report = now
            self._report()
        while self._waiting or (lines := self._queues.take(BATCH)):
            if not self._waiting:
                self._waiting = self._prepared(lines)
            try:
                if self._waiting:
                    store.send(self._waiting)
            except store.StoreError:
                # Again in the next turn; meanwhile the queues fill, and count what is too much.
                self._failed += 1
                break
            self._stored += len(self._waiting)
            self._waiting = []
        if now - self._last_write >= WRITE:
            self._last_write = now
            self._write()

    def _prepared(self, lines: list[Line]) -> list[str]:
        documents = []
        for line in lines:
            text = self._redactors[line.service, line.stream].line(line.text)
            if text != line.text:
                self._redacted += 1
            if text is not None:
                documents.append(store.document(line, self._stack.services[line.service], text))
        return documents

    def _report(self) -> None:
        """Say, as a line of this service, what was left out since the last report."""
        for name, count in self._queues.left_out().items():
            if more := count - self._said.get(name, 0):
                self._said[name] = count
                text = f"level=warning {more} lines of {name} were left out: too many at once"
                now = datetime.now(UTC).isoformat()
                self._waiting.append(
                    store.document(Line(OWN, now, "stderr", text), self._stack.services[OWN], text)
                )

    def _write(self) -> None:
        try:
            told = store.ask("GET", "/metrics").decode("utf-8", "replace")
        except store.StoreError:
            told = ""
        single = {
            "aidc_logs_refused_datagrams_total": self._refused,
            "aidc_logs_lost_datagrams_total": lost(self._stack.port),
            "aidc_logs_failed_batches_total": self._failed,
        }
        text = figures.rendered(self._queues, self._stored, self._redacted, single, told)
        fresh = FIGURES.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(FIGURES)


def lost(port: int, table: Path = Path("/proc/net/udp")) -> int:
    """Datagrams that the kernel has thrown away since nobody fetched them in time."""
    for row in table.read_text(encoding="ascii").splitlines()[1:]:
        columns = row.split()
        if columns[1].endswith(f":{port:04X}"):
            return int(columns[-1])
    return 0


def main() -> None:
    collector = Collector(stack())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, collector.stop)
    collector.run()
