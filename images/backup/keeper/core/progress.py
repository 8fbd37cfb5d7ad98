"""How far a long piece of work is, for a program that draws it: one line of JSON, a few times a second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

EVERY = 0.3  # seconds between two lines


class Progress:
    """`step` names what is done now and how much it is; `add` what of it is done. Silent without `write`.

    `of` stands before the name of each step.
    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        of: str = "",
    ) -> None:
        self._write, self._clock, self._last, self._of = write, clock, 0.0, of
        self._name, self._total, self._of_bytes, self._done, self._bytes = "", 0, 0, 0, 0

    def step(self, name: str, total: int = 0, of_bytes: int = 0) -> None:
        """`total` counts what is to be done, 0 when nobody knows; sizes in bytes."""
        self.end()
        self._name = f"{self._of}: {name}" if self._of else name
        self._total, self._of_bytes, self._done, self._bytes = total, of_bytes, 0, 0
        self._tell()

    def add(self, count: int = 1, size: int = 0) -> None:
        self._done += count
        self._bytes += size
        if self._clock() - self._last >= EVERY:
            self._tell()

    def end(self) -> None:
        """The last line of a step, whenever the one before it came."""
        if self._name:
            self._tell()
            self._name = ""

    def _tell(self) -> None:
        self._last = self._clock()
        if self._write:
            line = {"step": self._name, "done": self._done, "of": self._total}
            self._write(json.dumps({**line, "bytes": self._bytes, "of_bytes": self._of_bytes}))
