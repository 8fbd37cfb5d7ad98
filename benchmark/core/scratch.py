"""Folders for temporary files, each of one process, which go with it however it ends.

Who made one holds a lock on it. What nobody holds any more is removed by whoever comes next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "aidc-rank-"
# Short, as the paths of sockets, which may be below it, have 108 bytes.
ROOT = Path("/tmp")


class Scratch:
    """A folder below `root`. Raises OSError where none can be made."""

    def __init__(self, root: Path = ROOT) -> None:
        while True:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
            try:
                self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # as below
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if self.folder.is_dir():
                return
            os.close(self._lock)  # swept before it was locked

    def remove(self) -> None:
        _remove(self.folder)
        os.close(self._lock)


def sweep(root: Path = ROOT) -> None:
    """Remove the folders of processes that were killed before they could."""
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, somebody else's, or just gone
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(lock)


def variables(folder: Path, root: Path = ROOT) -> dict[str, str]:
    """By which programs find it. Ray's client goes on to look for its session where Ray has it."""
    place = str(folder)
    return {"TMPDIR": place, "TMP": place, "TEMP": place, "RAY_TMPDIR": str(root)}


def _remove(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            os.chmod(place, 0o700)  # before its entries are listed
    shutil.rmtree(folder, ignore_errors=True)
