"""Child processes that survive our Ctrl-C: each gets a signal once, from us, and we wait for it.

Every child leads its own process group, so that the terminal's Ctrl-C does not reach it in addition to ours.
`stream` is for long work whose output is handled line by line, `attached` for a command that owns the
terminal's output, `capture` for a short one that must not be interrupted while it writes.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self, TextIO, cast

from operations.reading import HEED, lines

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST = "\ninterrupted: waiting for {} to finish what it has started (press again to stop immediately)\n"
SECOND = "\ninterrupted again: stopping immediately\n"
# Seconds that a short command may take. Pulumi's take seconds, and a minute on a busy machine.
LONGEST = 600.0
# Seconds that a child whose run has failed gets to finish what it has started.
PATIENCE = 60.0
# The signal at which a child that has not ended is killed: it was asked twice before.
KILLED_AT = 3


class Interrupts:
    """While entered, a signal is recorded and forwarded to the running child, instead of raising.

    Without a child it raises KeyboardInterrupt as usual. TERM and HUP (a cancelled CI job, a closed terminal)
    count as Ctrl-C, because Pulumi would die of them without writing its state. The first two reach the child
    as SIGINT, which Pulumi takes as "finish" and "stop immediately"; the third kills its process group.
    """

    def __init__(self, who: str = "Pulumi") -> None:
        self.count = 0
        self.who = who
        # Created by the first signal: processes that wait on our behalf look for it.
        self.file = Path(tempfile.gettempdir()) / f"aidc-interrupt-{secrets.token_hex(8)}"
        self.child: subprocess.Popen[str] | None = None
        self._starting = False
        self._before: dict[signal.Signals, Any] = {}

    def any(self) -> bool:
        """Whether a stop was requested."""
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

    @contextmanager
    def guarding(self, start: Callable[[], subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
        """The child that `start` starts, guarded from before it exists until it has ended.

        A signal that arrives between the fork and the assignment of the child is kept and forwarded then. The
        child does not outlive the block, whatever ends that early: also an error in the reader of its output.
        """
        self._starting = True
        seen = self.count
        try:
            self.child = start()
        finally:
            self._starting = False
        for _ in range(min(self.count - seen, KILLED_AT)):
            self._pass_on()
        try:
            yield self.child
        finally:
            _end(self.child)
            self.child = None

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.child is None and not self._starting:
            raise KeyboardInterrupt
        if self.count <= 2:
            # A handler may run inside a print: os.write cannot collide with it.
            os.write(2, (FIRST.format(self.who) if self.count == 1 else SECOND).encode())
            self.file.touch()
        if not self._starting:
            self._pass_on()

    def _pass_on(self) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        if self.count >= KILLED_AT:
            _kill(self.child)
        else:
            self.child.send_signal(signal.SIGINT)


class Pipes(NamedTuple):
    """Where a child's standard streams go, as `subprocess.Popen` takes them."""

    input: int = subprocess.DEVNULL
    output: int | None = None
    errors: int | None = None


def _start(
    command: Sequence[str], pipes: Pipes, environment: Mapping[str, str], cwd: Path
) -> subprocess.Popen[str]:
    # Its own process group: the terminal's Ctrl-C must not reach it in addition to ours.
    return subprocess.Popen(
        command,
        stdin=pipes.input,
        stdout=pipes.output,
        stderr=pipes.errors,
        text=True,
        errors="replace",
        cwd=cwd,
        env=dict(environment),
        process_group=0,
    )


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

    pipes = Pipes(output=subprocess.PIPE, errors=subprocess.STDOUT)
    with interrupts.guarding(partial(_start, command, pipes, environment, cwd)) as child:
        for line in lines(cast(TextIO, child.stdout)):
            on_line(line)
        return _ended(child)


def attached(
    command: Sequence[str],
    *,
    interrupts: Interrupts,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    output: int | None = None,
) -> int:
    """Run `command` with our own output, or into the descriptor `output`; return its exit code."""

    pipes = Pipes(output=output, errors=output)
    environment = os.environ if environment is None else environment
    with interrupts.guarding(partial(_start, command, pipes, environment, cwd)) as child:
        return _ended(child)


def _ended(child: subprocess.Popen[str]) -> int:
    """The exit code; signals are handled while the child runs."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(HEED)


def capture(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    stdin: str | None = None,
    limit: float = LONGEST,
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, shielded from Ctrl-C, and return its output.

    A signal that arrives meanwhile takes effect when the command has ended; at the third one, or after
    `limit` seconds, it is killed. Raises FileNotFoundError when the command does not exist, and
    subprocess.TimeoutExpired.
    """
    pipes = Pipes(subprocess.PIPE, subprocess.PIPE, subprocess.PIPE)
    start = partial(_start, command, pipes, environment, cwd)
    with _deferred() as interrupts, interrupts.guarding(start) as child:
        output, errors = child.communicate(stdin or "", timeout=limit)
    return subprocess.CompletedProcess(command, child.returncode, output, errors)


class _Deferring(Interrupts):
    """Records signals and forwards none, until the third one kills the child."""

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.last = number
        if not self._starting:
            self._pass_on()

    def _pass_on(self) -> None:
        if self.child is not None and self.count >= KILLED_AT:
            _kill(self.child)


@contextmanager
def _deferred() -> Iterator[Interrupts]:
    """Signals are recorded inside, and raised again at the end for the earlier handler."""
    deferring = _Deferring()
    # Only the main thread gets signals, and only it may install handlers.
    if threading.current_thread() is not threading.main_thread():
        yield deferring
        return
    try:
        with deferring:
            yield deferring
    finally:
        if deferring.any():
            signal.raise_signal(deferring.last)


def _end(child: subprocess.Popen[str]) -> None:
    """Ask a child whose output nobody reads any more to stop; kill its process group if it does not."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            # Its output is still read: a writer on a full or closed pipe cannot finish what it has started.
            child.communicate(timeout=PATIENCE)
        except (subprocess.TimeoutExpired, ValueError):
            _kill(child)
            child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _kill(child: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def say(text: str = "") -> None:
    """Print progress for a person, unbuffered even where stdout is a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
