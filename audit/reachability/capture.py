"""Watches all interfaces of the host for packets that carry a canary. Effects: a packet socket, a thread."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from audit.reachability.names import Sighting

ALL_PROTOCOLS = 0x0003
# Enough of a packet for its headers and the question in it.
SNAPLEN = 512
# Seconds for what is still in the buffer at the end: a busy host must not delay the audit.
DRAIN = 1.0
SO_ATTACH_FILTER = 26
# Classic BPF: IPv6, and UDP over IPv4, as questions to name servers come. The rest never leaves the kernel.
FILTER = (
    (0x28, 0, 0, 12),  # the Ethernet type
    (0x15, 4, 0, 0x86DD),
    (0x15, 0, 2, 0x0800),
    (0x30, 0, 0, 23),  # the protocol within IPv4
    (0x15, 1, 0, socket.IPPROTO_UDP),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, SNAPLEN),
)


class Capture:
    """Records every packet that holds one of `labels`. `gave_up` says why some packets were not examined."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = {label.encode(): label for label in labels}
        self.sightings: set[Sighting] = set()
        self.gave_up = ""
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**24)
        _attach(self.socket)
        self._stop = threading.Event()
        self._until = float("inf")
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while time.monotonic() < self._until:
            if not select.select([self.socket], [], [], 0.1)[0]:
                if self._stop.is_set():
                    return
                continue
            packet, (interface, *_rest) = self.socket.recvfrom(SNAPLEN)
            for needle, label in self.labels.items():
                if needle in packet:
                    self.sightings.add(Sighting(label, interface))
        self.gave_up = "the host was too busy to examine every packet"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._until = time.monotonic() + DRAIN
        self._stop.set()
        self._thread.join()
        self.socket.close()


def _attach(watcher: socket.socket) -> None:
    """Let the kernel drop what FILTER rejects."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in FILTER))
    watcher.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(FILTER), ctypes.addressof(program))
    )


def masters() -> dict[str, str]:
    """Interface → the bridge that it is a port of."""
    found = {}
    for interface in Path("/sys/class/net").iterdir():
        master = interface / "master"
        if master.exists():
            found[interface.name] = master.resolve().name
    return found
