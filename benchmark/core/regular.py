"""Reads a file that somebody has named: a regular one, up to a size. Anything else could block or never end.

`components/runtime/regular.py` does the same for the stack, which this package knows nothing of.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 4 << 20
# A result with all its series, and the state of a stack.
DOCUMENT_MOST = 256 << 20
KINDS = {
    stat.S_IFIFO: "is a named pipe",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFCHR: "is a device",
    stat.S_IFBLK: "is a device",
    stat.S_IFDIR: "is a folder",
}


class NotRegularError(OSError):
    """`strerror` says what the path leads to, or that it is too large."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """The content. Raises OSError."""
    # Before it is opened: that alone can block, or do something to a device.
    _check(path, os.stat(path), most)
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _check(path, os.fstat(file.fileno()), most)
        # Some files of /proc have no size.
        if len(content := file.read(most + 1)) > most:
            raise NotRegularError(path, _too_large(most))
    return content


def read_text(path: Path, most: int = MOST, encoding: str = "utf-8") -> str:
    """The same, as text with line ends as `\\n`. Raises OSError, and UnicodeDecodeError."""
    return read_bytes(path, most).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def _check(path: Path, about: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(about.st_mode):
        kind = KINDS.get(stat.S_IFMT(about.st_mode), "is something else")
        raise NotRegularError(path, f"it {kind}, and no file")
    if about.st_size > most:
        raise NotRegularError(path, _too_large(most))


def _too_large(most: int) -> str:
    return f"it has more than {f'{most >> 20} MiB' if most >> 20 else f'{most >> 10} KiB'}"
