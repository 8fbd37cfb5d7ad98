"""`make status --watch`: look again and again, and show only what has changed."""

from __future__ import annotations

import io
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import TextIO

from docker.errors import DockerException
from rich.console import Console

from operations.documents import content
from operations.front.last import last_of
from operations.overview import page
from operations.status_document import Status

EVERY_S = 5.0
# Seconds within which it is noticed that nobody reads the output any more.
HEED_S = 0.2
# The terminal's other screen, without a cursor; and back.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[2J"


def watch(
    look: Callable[[], Status],
    show: Callable[[Status], None],
    as_json: bool,
    out: TextIO,
    *,
    rest: Callable[[float], None] | None = None,
) -> Status | None:
    """Look until Ctrl-C; the last status, None where there was none. `show` prints one as a whole.

    Raises BrokenPipeError as soon as nobody reads `out` any more. A look that is under way at the end goes on
    in the background.
    """
    last: Status | None = None
    screen = _Screen(out) if out.isatty() and not as_json else None
    rest = rest or (lambda seconds: _rest(seconds, out))
    try:
        with screen.open() if screen else nullcontext():
            if screen:
                screen.show(["looking…"])
            while True:
                try:
                    found = _looked(look, out)
                except DockerException as error:
                    found = None
                    _say(screen, out, f"the engine does not answer: {str(error).splitlines()[0]}", as_json)
                # Before anything is written: Ctrl-C may come then.
                before, last = last, found or last
                if found and as_json:
                    out.write(json.dumps(content(found)) + "\n")
                elif found and screen:
                    screen.draw(found)
                elif found and before is None:
                    show(found)
                elif found and before:
                    for line in changes(facts(before), facts(found)):
                        out.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
                out.flush()
                rest(EVERY_S)
    except KeyboardInterrupt:
        return last


def _looked(look: Callable[[], Status], out: TextIO) -> Status:
    """One look in the background: an engine that does not answer holds up no Ctrl-C."""
    answer: SimpleQueue[Status | BaseException] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(look())
        except BaseException as error:
            answer.put(error)

    Thread(target=ask, daemon=True).start()
    while True:
        try:
            found = answer.get(timeout=HEED_S)
        except Empty:
            _check_read(out)
            continue
        if isinstance(found, BaseException):
            raise found
        return found


def _rest(seconds: float, out: TextIO) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _check_read(out)
        time.sleep(min(HEED_S, left))


def _check_read(out: TextIO) -> None:
    """Raises BrokenPipeError where nobody reads: as long as nothing changes, no write would tell."""
    try:
        descriptor = out.fileno()
    except OSError:  # none of the system's
        return
    looked = select.poll()
    looked.register(descriptor, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in looked.poll(0)):
        raise BrokenPipeError


def _say(screen: _Screen | None, out: TextIO, text: str, as_json: bool) -> None:
    if screen:
        screen.show([text])
    elif not as_json:
        out.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


def facts(found: Status) -> dict[str, str]:
    """What is worth a line when it changes: no figures that always move."""
    told = {f"service {row.name}": row.state for row in found.services}
    told |= {f"job {job.id}": job.state for job in found.jobs or ()}
    told |= {f"node {node.node}": node.verdict for node in found.nodes}
    for name, one in last_of(found).items():
        told[name] = f"{one.result} at {one.at}" if one else "none yet"
    told |= {f"alert {alert.name}": alert.state for alert in found.alerts or ()}
    told["remark"] = found.remark or "none"
    return told


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A line for each fact that is new, gone or different."""
    return [
        f"{name}: {before.get(name, 'new')} → {after.get(name, 'gone')}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


class _Screen:
    """What stands on the terminal."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.size: tuple[int, int] = (0, 0)
        self.lines: list[str] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        """The terminal's other screen; the first one again at the end, whichever signal brings it."""
        before = {}
        with suppress(ValueError):  # only the main thread has signals
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
                before[number] = signal.signal(number, self._leave)
        self.out.write(ENTER)
        try:
            yield
        finally:
            self.out.write(LEAVE)
            self.out.flush()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        # Not by the file object, in the midst of whose write the signal may have come.
        os.write(self.out.fileno(), LEAVE.encode())
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        # Here after Ctrl-Z and `fg`.
        signal.signal(number, self._leave)
        os.write(self.out.fileno(), ENTER.encode())
        self.size = (0, 0)

    def draw(self, found: Status) -> None:
        now = f"{datetime.now(UTC):%H:%M:%S} UTC, every {EVERY_S:g} s, Ctrl-C ends"
        self.show([now, *rendered(found, shutil.get_terminal_size().columns)])

    def show(self, lines: Sequence[str]) -> None:
        width, height = shutil.get_terminal_size()
        if (width, height) != self.size:
            self.size, self.lines = (width, height), []
            self.out.write(CLEAR)
        fresh = clipped(lines, height)
        self.out.write(redrawn(self.lines, fresh))
        self.out.flush()
        self.lines = fresh


def rendered(found: Status, width: int) -> list[str]:
    """The page as the terminal's lines, none longer than it is wide; the table, which is long, comes last."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    parts = page.page(found)[::-1] if found.services else [f"stack {found.stack} is not up"]
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get().splitlines()


def clipped(lines: Sequence[str], height: int) -> list[str]:
    """At most as many as the terminal has, with a word on those that are left out."""
    if len(lines) <= height:
        return list(lines)
    return [*lines[: height - 1], f"… {len(lines) - height + 1} more lines; make the window higher"]


def redrawn(before: Sequence[str], after: Sequence[str]) -> str:
    """What makes a terminal that shows `before` show `after`: only lines that differ are written."""
    rows = max(len(before), len(after))
    old, new = [*before, *[""] * (rows - len(before))], [*after, *[""] * (rows - len(after))]
    return "".join(
        f"\x1b[{row};1H\x1b[2K{line}"
        for row, (was, line) in enumerate(zip(old, new, strict=True), 1)
        if was != line
    )
