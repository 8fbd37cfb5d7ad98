"""`make status --watch`: look again and again, and show only what has changed."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from docker.errors import DockerException
from rich.console import Console

from operations.documents import content
from operations.front.last import last_of
from operations.overview import page
from operations.status_document import Status

EVERY_S = 5.0
# The terminal's other screen, without a cursor; and back.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
CLEAR = "\x1b[2J"


def watch(
    look: Callable[[], Status],
    show: Callable[[Status], None],
    as_json: bool,
    out: TextIO,
    *,
    rest: Callable[[float], None] = time.sleep,
) -> Status | None:
    """Look until Ctrl-C; the last status, None where there was none. `show` prints one as a whole."""
    last: Status | None = None
    screen = _Screen(out) if out.isatty() and not as_json else None
    try:
        if screen:
            out.write(ENTER)
            screen.show(["looking…"])
        while True:
            try:
                found = look()
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
    finally:
        if screen:
            out.write(LEAVE)
            out.flush()


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
