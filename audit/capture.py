"""Watches all interfaces of the host for packets that carry a canary. Effects: a packet socket, a thread."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from audit.names import Sighting

ALL_PROTOCOLS = 0x0003
# Enough of a packet for its headers and the question in it.
SNAPLEN = 512
# A busy host must not make the audit slow: after so many packets the capture gives up and says so.
MOST_PACKETS = 2_000_000


class Capture:
    """Notes every packet that holds one of `labels`, until left. `gave_up` is why it stopped early."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = {label.encode(): label for label in labels}
        self.sightings: set[Sighting] = set()
        self.gave_up = ""
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**24)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        for _ in range(MOST_PACKETS):
            while not select.select([self.socket], [], [], 0.1)[0]:
                if self._stop.is_set():
                    return
            packet, (interface, *_rest) = self.socket.recvfrom(SNAPLEN)
            for needle, label in self.labels.items():
                if needle in packet:
                    self.sightings.add(Sighting(label, interface))
        self.gave_up = f"it gave up after {MOST_PACKETS:,} packets"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=2)
        self.socket.close()


def masters() -> dict[str, str]:
    """Interface → the bridge that it is a port of."""
    found = {}
    for interface in Path("/sys/class/net").iterdir():
        master = interface / "master"
        if master.exists():
            found[interface.name] = master.resolve().name
    return found
