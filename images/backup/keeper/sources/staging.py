"""The copy of the store on disk: what lies in it, what may go, and whether there is room for more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from ..core.index import Index

# So much of the engine's disk is left to everybody else.
RESERVE = 2**30


class RoomError(Exception):
    """No room for this run; the text says where, how much is missing, and what to do."""


# What an earlier release kept for its one job, beside the folder `snapshot`.
OF_ONE_JOB = ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "dumps.json")


class Staging:
    """`snapshot/` is what restic saves: copies of the objects and the manifest. The rest is for the run.

    All snapshots have the same path, whichever job they are of: the folder of the job that runs is put there,
    the others wait in `jobs/`. One job runs at a time.
    """

    def __init__(self, root: Path, job: str = "") -> None:
        self.root, self.job = root, job
        self.snapshot, self.temporary = root / "snapshot", root / "temporary"
        self.manifest = self.snapshot / "manifest.jsonl"
        self.jobs = root / "jobs"
        self.own = self.jobs / job

    def prepare(self, jobs: Collection[str] = ()) -> Index:
        """Empty what a run that was killed has left, and make index and files agree again.

        What belongs to none of `jobs` is removed.
        """
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self.root / "buckets", ignore_errors=True)  # what an earlier release kept here
        self.temporary.mkdir()
        self._put_in_place()
        for left in self.jobs.iterdir():
            if left.name not in {self.job, *jobs}:
                shutil.rmtree(left, ignore_errors=True)
        (self.snapshot / "objects").mkdir(parents=True, exist_ok=True)
        index = Index(self.own / "index.sqlite")
        for file, size in self._files():
            if index.size_of(file) != size:
                (self.snapshot / file).unlink()
        for file, _ in index.copies():
            if not (self.snapshot / file).is_file():
                index.forget(file)
        return index

    def _put_in_place(self) -> None:
        """Bring this job's folder to where restic saves it. A run that was killed here is gone on with."""
        self.own.mkdir(parents=True, exist_ok=True)
        mark = self.root / "in-place"
        current = mark.read_text().strip() if mark.is_file() else ""
        if not current:
            for name in OF_ONE_JOB:
                if (self.root / name).exists():
                    os.replace(self.root / name, self.own / name)
        elif current != self.job and self.snapshot.exists():
            shelf = self.jobs / current
            shelf.mkdir(exist_ok=True)
            shutil.rmtree(shelf / "snapshot", ignore_errors=True)
            os.replace(self.snapshot, shelf / "snapshot")
        part = mark.with_suffix(".part")
        part.write_text(f"{self.job}\n")
        os.replace(part, mark)
        if not self.snapshot.exists() and (self.own / "snapshot").exists():
            os.replace(self.own / "snapshot", self.snapshot)

    def borrow(self, index: Index) -> int:
        """Take what other jobs have a copy of, without a second one on disk; how many objects that were."""
        taken = 0
        for other in sorted(self.jobs.iterdir()):
            if other == self.own or not (other / "index.sqlite").is_file():
                continue
            for file, keep in index.offered(other / "index.sqlite"):
                place = self.snapshot / file
                place.parent.mkdir(exist_ok=True)
                try:
                    os.link(other / "snapshot" / file, place)
                except OSError:  # It is fetched instead.
                    continue
                keep()
                taken += 1
        return taken

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
        """Bytes on disk of everything here, restic's cache too; what several jobs share counts once."""
        total, shared = 0, set[int]()
        for folder, _, names in os.walk(self.root):
            for name in names:
                try:
                    found = os.lstat(os.path.join(folder, name))
                except FileNotFoundError:  # a temporary file
                    continue
                if found.st_nlink > 1 and found.st_ino in shared:
                    continue
                if found.st_nlink > 1:
                    shared.add(found.st_ino)
                total += found.st_blocks * 512
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
