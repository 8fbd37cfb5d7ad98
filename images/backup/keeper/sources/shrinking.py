"""Whether what is new to the vault gets smaller by compression, estimated from small parts of it. Pure.

restic tries it on every byte; where the data are noise or compressed already, that is a fifth of its time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

SAMPLE = 32 * 2**10  # bytes of each part that is looked at
EVERY = 8  # of so many parts of an object, the first is looked at
# Less is not worth the time.
WORTH = 0.02


@dataclass
class Shrinking:
    """Adds up what files shrink by, weighted by their size."""

    total: float = 0.0
    saved: float = 0.0

    def add(self, size: int, share: float) -> None:
        """`size` bytes that shrink by `share` of themselves."""
        self.total += size
        self.saved += size * share

    @property
    def mode(self) -> str:
        """restic's word for it; without anything to go by, it finds out for itself."""
        return "auto" if not self.total or self.saved >= WORTH * self.total else "off"


class Sampled:
    """How much one object shrinks: give it all parts, in order."""

    def __init__(self) -> None:
        self._number = self._seen = self._small = 0

    def look(self, part: bytes) -> None:
        if self._number % EVERY == 0:
            sample = part[:SAMPLE]
            self._seen += len(sample)
            self._small += len(zlib.compress(sample, 1))
        self._number += 1

    @property
    def share(self) -> float:
        """Between 0, for what does not shrink, and 1."""
        return max(0.0, 1 - self._small / self._seen) if self._seen else 0.0
