"""The engine events of one Pulumi run, read from its event log (`--event-log`) while it is being written.

The flag is hidden behind PULUMI_DEBUG_COMMANDS; Pulumi's own Automation API relies on both.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pulumi.automation.events import EngineEvent

# Seconds between two looks at the log: also the error of the durations that are derived from the events.
EVERY = 0.02


class Tail:
    """The lines of the file `path`, in the order in which they were written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def read(self) -> list[bytes]:
        """The lines that are new since the last call.

        Empty while there is no file yet; a line that is not written to its end waits for the next call.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                complete, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._position += len(complete) + len(newline)
        return complete.splitlines()


class EventLog:
    """The events in the file `path`, in the order in which they were written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = Tail(path)

    def read(self) -> list[EngineEvent]:
        """The events that are new since the last call."""
        return [event for line in self._lines.read() if (event := parse(line)) is not None]


def parse(line: bytes) -> EngineEvent | None:
    """One line of the log; None for what this version of the SDK does not understand."""
    try:
        return EngineEvent.from_json(json.loads(line))
    except (ValueError, TypeError, AttributeError):
        return None


class Follower:
    """While entered, passes the events of `log` to `on_event`, in a thread of its own; `words` to `on_word`.

    An exception in `on_event`, such as a closed pipe, ends the thread. `check` raises it in the thread that
    reads Pulumi's output, so that it ends the run there; leaving raises it at the latest.
    """

    def __init__(
        self,
        log: EventLog,
        on_event: Callable[[EngineEvent], None],
        words: Tail | None = None,
        on_word: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.log, self.on_event = log, on_event
        self.words, self.on_word = words, on_word
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every event that was written is passed on before this returns."""
        self._ended.set()
        self._thread.join()
        if error is None:
            self.check()

    def check(self) -> None:
        """Raises what `on_event` raised."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            last = False
            while not last:
                # Asked before reading: what is written until the end is read after it, too.
                last = self._ended.wait(EVERY)
                for event in self.log.read():
                    self.on_event(event)
                for word in self.words.read() if self.words else ():
                    self.on_word(word.decode(errors="replace"))
        except BaseException as error:
            self._error = error
