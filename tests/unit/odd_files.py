"""Paths that lead to no file of a sensible size: whoever opens or reads them hangs, or runs out of memory."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KINDS = ("pipe", "device", "socket", "folder", "large")


@contextmanager
def odd_file(kind: str, folder: Path) -> Iterator[Path]:
    """One of them, below `folder`; what blocks inside fails."""
    path = folder / "odd"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        elif kind == "folder":
            path.mkdir()
        elif kind == "large":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        else:
            # The system takes a hundred bytes for a socket's name.
            before = Path.cwd()
            os.chdir(folder)
            listener.bind(path.name)
            os.chdir(before)
        signal.alarm(20)
        try:
            yield path
        finally:
            signal.alarm(0)
