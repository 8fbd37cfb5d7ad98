"""Pages that a workstation has handed over, each in a file: a header, and the page as it came."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from operations.front.handed import HEADER_MOST, PAGES, Header, Judge, header, moment, replaces

from .settings import TOLD

# What is read and sent at a time: a page is never in memory as a whole.
PIECE = 1 << 16
# By how much the workstation's clock may be ahead: a page of the far future would never be replaced.
AHEAD = timedelta(hours=1)


@contextmanager
def alone(folder: Path = TOLD) -> Iterator[None]:
    """Two workstations may tell at once: what is read and what is written then stay together."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def not_ahead(at: str) -> None:
    """Raises ValueError where it is no time, or one that is still to come."""
    if moment(at) > datetime.now(UTC) + AHEAD:
        raise ValueError(f"{at} is still to come: a clock is wrong")


def take(stream: BinaryIO, stack: str, folder: Path = TOLD) -> None:
    """Keep the page of this stack that `stream` brings.

    Raises ValueError where it is none, or an older one, and OSError.
    """
    new = header(stream.readline(HEADER_MOST))
    pieces = _pieces(stream, new.size)
    try:
        not_ahead(new.at)
        with alone(folder):
            _keep(new, pieces, stack, folder)
    finally:
        # Who is still sending could not hear why it is refused.
        for _ in pieces:
            pass


def _keep(new: Header, pieces: Iterator[bytes], stack: str, folder: Path) -> None:
    if not replaces(new, held(folder).get(new.name)):
        raise ValueError(f"{new.name} is not newer than the one that is here")
    judge = Judge(new, stack)
    # Of one name, so that runs that are killed leave no more than one.
    fresh = folder / ".page"
    with fresh.open("wb") as file:
        file.write(new.line())
        for piece in pieces:
            judge.see(piece)
            file.write(piece)
        judge.end()
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / new.name)


def _pieces(stream: BinaryIO, left: int) -> Iterator[bytes]:
    while left and (piece := stream.read(min(left, PIECE))):
        left -= len(piece)
        yield piece


def held(folder: Path = TOLD) -> dict[str, Header]:
    """Those that are here."""
    found = {}
    for name in PAGES:
        if opened := open_page(name, folder):
            opened[1].close()
            found[name] = opened[0]
    return found


def open_page(name: str, folder: Path = TOLD) -> tuple[Header, BinaryIO] | None:
    """A page whose first byte is read next; None where it was never told, or is not whole."""
    if name not in PAGES:
        return None
    try:
        file = (folder / name).open("rb")
    except OSError:
        return None
    try:
        line = file.readline(HEADER_MOST)
        found, status = header(line), os.fstat(file.fileno())
        if found.name == name and stat.S_ISREG(status.st_mode) and status.st_size == len(line) + found.size:
            return found, file
    except (OSError, ValueError):
        pass
    file.close()
    return None
