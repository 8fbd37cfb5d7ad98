"""What the collector is given, and its limits."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

FILES = Path(os.environ.get("LOGS_FILES", "/etc/aidc"))
FIGURES = Path(os.environ.get("COLLECTOR_FIGURES", "/tmp/collector.prom"))
PORT = int(os.environ.get("LOGS_PORT", "9428"))
# Each service: lines a second over time, lines at once, and bytes that wait to be stored.
RATE, BURST, WAITING = 500, 5_000, 512 * 1024
# Characters of a line that are kept.
LONGEST = 8_192
# Bytes of a batch, and seconds after which a smaller one goes as well.
BATCH, EVERY = 512 * 1024, 1.0
# Seconds between two reports of what was left out, and between two writings of the figures.
REPORT, WRITE = 10.0, 10.0


@dataclass(frozen=True)
class Source:
    """A service whose lines are taken."""

    role: str
    container: str


@dataclass(frozen=True)
class Stack:
    """`gateway` is the engine's address in the segment, the only one whose datagrams count."""

    gateway: str
    listen: str
    port: int
    services: dict[str, Source]


def stack() -> Stack:
    """The settings that `components/logs.py` writes."""
    raw = json.loads((FILES / "stack.json").read_text(encoding="utf-8"))
    services = {name: Source(**source) for name, source in raw["services"].items()}
    return Stack(raw["gateway"], raw["listen"], raw["port"], services)
