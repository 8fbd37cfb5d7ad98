"""The copy of the store on disk: what lies in it, what may go, and whether there is room for more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .index import Index

# So much of the engine's disk is left to everybody else.
RESERVE = 2**30


class RoomError(Exception):
    """No room for this run; the text says where, how much is missing, and what to do."""


class Staging:
    """`snapshot/` is what restic saves: copies of the objects and the manifest. The rest is for the run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.snapshot, self.temporary = root / "snapshot", root / "temporary"
        self.manifest = self.snapshot / "manifest.jsonl"

    def prepare(self) -> Index:
        """Empty what a run that was killed has left, and make index and files agree again."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self.root / "buckets", ignore_errors=True)  # what an earlier release kept here
        self.temporary.mkdir()
        (self.snapshot / "objects").mkdir(parents=True, exist_ok=True)
        index = Index(self.root / "index.sqlite")
        for file, size in self._files():
            if index.size_of(file) != size:
                (self.snapshot / file).unlink()
        for file, _ in index.copies():
            if not (self.snapshot / file).is_file():
                index.forget(file)
        return index

    def _files(self) -> Iterator[tuple[str, int]]:
        for folder, _, names in os.walk(self.snapshot / "objects"):
            for name in names:
                path = Path(folder, name)
                yield path.relative_to(self.snapshot).as_posix(), path.stat().st_size

    def keep(self, fetched: Path, file: str) -> None:
        """Give a fetched file its name."""
        place = self.snapshot / file
        place.parent.mkdir(exist_ok=True)
        os.replace(fetched, place)

    def drop_deleted(self, index: Index) -> None:
        """Before anything is fetched: the copies of keys that the store lists no more."""
        self._drop([file for file, _ in index.copies() if not index.known(file)], index)

    def drop_replaced(self, index: Index) -> None:
        """After it: every other copy that this snapshot does not need."""
        self._drop([file for file, _ in index.copies() if not index.wanted(file)], index)

    def _drop(self, files: list[str], index: Index) -> None:
        for file in files:
            (self.snapshot / file).unlink(missing_ok=True)
            index.forget(file)

    def used(self) -> int:
        """Bytes on disk of everything here, restic's cache too."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    total += os.lstat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:  # a temporary file
                    continue
        return total

    def free(self) -> int:
        """Bytes that are left on the engine's disk."""
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def check_room(self, coming: int, capacity: int) -> None:
        """Whether `coming` bytes may be fetched. Raises RoomError before the first of them."""
        used, free = self.used(), self.free()
        if used + coming > capacity:
            raise RoomError(
                f"staging would hold {used + coming} bytes and may hold {capacity}: raise "
                "backup.staging_capacity or store less"
            )
        if coming + RESERVE > free:
            raise RoomError(
                f"the engine's disk has {free} bytes left, {coming} would be fetched and {RESERVE} have to "
                "stay free: make room there"
            )
