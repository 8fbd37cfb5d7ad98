"""Shared memory that the processes of a script have left, as one that is killed does: it would stay for ever.

A segment is a file, and its name does not say whose it is. It counts as the script's where it was not there
before, and a process of the script was seen to have it mapped or open. It is removed where no process has
it any more.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from benchmark.core import processes

ROOT = Path("/dev/shm")
# Times that each new file is looked for among what the script's processes use: most are found at once.
LOOKS = 5
Key = tuple[int, int]  # device and inode


class Segments:
    """Those of one script, which has not begun."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root, self._own, self._looks = root, dict[Key, Path](), Counter[Key]()
        self._before = set(_files(root))

    def look(self, numbers: Iterable[int]) -> None:
        """What is new, and used by one of the processes `numbers`, is the script's."""
        there = _files(self._root)
        known = self._before | self._own.keys()
        fresh = {key for key in there if key not in known and self._looks[key] < LOOKS}
        if not fresh:
            return
        self._looks.update(fresh)
        for number in numbers:
            with suppress(OSError):  # it has just ended
                self._own.update((key, there[key]) for key in used(number) if key in fresh)

    def remove(self) -> None:
        """Once the script's processes have ended."""
        there = _files(self._root)
        left = {key: path for key, path in self._own.items() if there.get(key) == path}
        for key in left.keys() - (_used_by_all() if left else set()):
            with suppress(OSError):
                left[key].unlink()


def _files(root: Path) -> dict[Key, Path]:
    found = {}
    with suppress(OSError):
        for entry in os.scandir(root):
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    found[about.st_dev, about.st_ino] = Path(entry.path)
    return found


def used(number: int) -> Iterator[Key]:
    """The files that a process has mapped or open. Raises OSError where it does not tell."""
    folder = Path(f"/proc/{number}")
    for line in (folder / "maps").read_bytes().splitlines():
        _, _, _, device, inode, *_ = line.split(maxsplit=5)
        if inode != b"0":
            major, minor = device.split(b":")
            yield os.makedev(int(major, 16), int(minor, 16)), int(inode)
    for link in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):
            about = link.stat()
            yield about.st_dev, about.st_ino


def _used_by_all() -> set[Key]:
    found = set[Key]()
    for one in processes.present():
        if not one.ended:
            # It has just ended, or is of another kind than jobs are, and does not tell.
            with suppress(OSError):
                found.update(used(one.number))
    return found
