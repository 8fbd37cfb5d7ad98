"""Tables and times for people."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from components.planning.units import GIB, MIB

if TYPE_CHECKING:
    from rich.console import Console

# Without a terminal, as in CI: wide enough for every row.
WIDTH = 150


def console() -> Console:
    # Where it is asked for: the page of the front door is made where rich is not installed.
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def ago(moment: datetime, now: datetime | None = None) -> str:
    """`43 s`, `12 min`, `5 h`, `3 d`."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def parse_time(text: str) -> datetime | None:
    """Parse the engine's RFC 3339 time with nanoseconds; None for its zero time."""
    if not text or text.startswith("0001"):
        return None
    return datetime.fromisoformat(text[:19] + "+00:00")


def count(number: int, what: str) -> str:
    """`1 volume`, `2 volumes`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def size(amount: float) -> str:
    """Bytes as MiB, or GiB from 10 GiB on."""
    return f"{amount / MIB:,.0f} MiB" if amount < 10 * GIB else f"{amount / GIB:.1f} GiB"
