"""Child processes that survive our Ctrl-C: the signal reaches each once, from us, and we wait for it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST = "\ninterrupted: waiting for Pulumi to finish what it has begun (once more: stop at once)\n"
SECOND = "\ninterrupted again: stopping at once\n"


class Interrupts:
    """While entered, a signal is passed on to the running child and noted, instead of raising.

    Without a child it raises KeyboardInterrupt as usual. TERM and HUP (a cancelled CI job, a closed terminal)
    count as Ctrl-C, because Pulumi would die of them without writing its state.
    """

    def __init__(self) -> None:
        self.count = 0
        # Appears with the first signal: those who wait on our behalf look for it.
        self.file = Path(tempfile.gettempdir()) / f"aidc-interrupt-{secrets.token_hex(8)}"
        self.child: subprocess.Popen[str] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def any(self) -> bool:
        """Whether somebody asked to stop."""
        return self.count > 0

    def __enter__(self) -> Self:
        self._before = {s: signal.signal(s, self._handle) for s in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.file.unlink(missing_ok=True)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.child is None:
            raise KeyboardInterrupt
        if self.count <= 2:
            # A handler may run within a print: os.write is the one that cannot collide with it.
            os.write(2, (FIRST if self.count == 1 else SECOND).encode())
            self.file.touch()
            self.child.send_signal(signal.SIGINT)


def stream(
    command: Sequence[str],
    *,
    interrupts: Interrupts,
    on_line: Callable[[str], None],
    environment: Mapping[str, str],
    cwd: Path,
) -> int:
    """Run `command`, give every line of its output to `on_line`, return its exit code (negative: signal).

    Raises FileNotFoundError when the command does not exist.
    """
    # An own process group: the terminal's Ctrl-C must not reach it a second time beside ours.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env=dict(environment),
        process_group=0,
    )
    interrupts.child = child
    try:
        assert child.stdout is not None
        for line in child.stdout:
            on_line(line.rstrip("\n"))
        return child.wait()
    finally:
        interrupts.child = None


def capture(
    command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, out of Ctrl-C's reach, and return what it said."""
    return subprocess.run(
        command,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        cwd=cwd,
        env=dict(environment),
        process_group=0,
        check=False,
    )


def say(text: str = "") -> None:
    """Progress for a person, at once even where stdout is a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
