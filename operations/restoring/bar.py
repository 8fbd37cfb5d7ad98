"""A bar on a terminal, and a line per step where there is none, of work that tells its progress as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from operations.output import size
from operations.process import say


class Bar:
    """As a context; `show` takes what the backup service prints of its progress."""

    def __init__(self, *, terminal: bool | None = None) -> None:
        self._terminal = sys.stdout.isatty() if terminal is None else terminal
        self._bar = Progress(
            TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(), disable=not self._terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._last: Mapping[str, Any] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._say_last()
        self._bar.stop()

    def show(self, step: Mapping[str, Any]) -> None:
        """`step`, `done`, `of` (0: nobody knows), `bytes` and `of_bytes`."""
        if step["step"] != self._last.get("step"):
            self._say_last()
            self._task = self._bar.add_task(step["step"], total=None, amount="")
        self._last = step
        by_size = step["of_bytes"] > 0
        total = step["of_bytes"] if by_size else step["of"]
        done = step["bytes"] if by_size else step["done"]
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, amount=amount(step))

    def line(self, text: str) -> None:
        """A line above the bar."""
        if self._terminal:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            say(text)

    def told(self, text: str) -> None:
        """A line of a program: its progress, or words."""
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict) and "step" in found:
            self.show(found)
        else:
            self.line(text)

    def _say_last(self) -> None:
        if self._last and not self._terminal:
            say(f"  {self._last['step']}: {amount(self._last)}")


def amount(step: Mapping[str, Any]) -> str:
    """`12 of 57 (3 MiB of 12 MiB)`."""
    text = f"{step['done']} of {step['of']}" if step["of"] else f"{step['done']}" if step["done"] else ""
    return f"{text} ({size(step['bytes'])} of {size(step['of_bytes'])})" if step["of_bytes"] else text
