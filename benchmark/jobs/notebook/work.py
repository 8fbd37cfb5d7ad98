"""The folder of a notebook, and its copy in the object store, which outlives job and node.

What changes is saved within seconds, and what is deleted is deleted there. The node remembers what it has
saved: when the notebook starts again, what it had not is kept beside what the store has.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.errors import BenchmarkError
from benchmark.core.store import Store

# Neither saved nor fetched, and neither is what begins with a dot.
LEFT_OUT = frozenset({"__pycache__"})
Stamp = tuple[int, int]


@dataclass
class Report:
    """Files that were saved, deleted or fetched, and why others could not be."""

    done: int
    faults: dict[str, str]


class Work:
    """`folder` as `prefix` of `store`. `state`: a file that remembers what has been saved."""

    def __init__(self, folder: Path, state: Path, store: Store, prefix: str) -> None:
        self.folder, self.store, self.prefix = folder, store, prefix
        self._state = state
        self._saved = self._read()

    def restore(self, node: str) -> Report:
        """Bring the folder to what the store has; work that was never saved stays, under another name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = self.store.list(self.prefix)
        # Of others nothing is fetched, so that nothing of them counts as deleted here.
        there = {name: key for key in keys if _all_kept(name := key.removeprefix(self.prefix))}
        for name, stamp in self._files():
            if self._saved.get(name) == stamp:
                # Deleted elsewhere; a store that has nothing at all has rather lost it.
                if keys and name not in there:
                    (self.folder / name).unlink()
            elif name in there:
                _set_aside(self.folder / name, node)
        self._saved = {}
        outside = (name for key in keys if ".." in (name := key.removeprefix(self.prefix)).split("/"))
        report = Report(0, dict.fromkeys(outside, "not the name of a file below the folder"))
        for name, key in there.items():
            try:
                self._fetch(name, key)
                report.done += 1
            except (BenchmarkError, OSError, ValueError) as error:
                report.faults[name] = str(error)
                # What the node has of it may be older: it takes the store's place only once it is changed.
                with suppress(OSError):
                    self._saved[name] = _stamp(self.folder / name)
        self._write()
        return report

    def save(self) -> Report:
        """Save what has changed since the last time, and delete what is gone."""
        now, report = dict(self._files()), Report(0, {})
        for name, stamp in now.items():
            if self._saved.get(name) != stamp:
                try:
                    self.store.put_file(self.prefix + name, self.folder / name)
                    self._saved[name] = stamp
                    report.done += 1
                except (BenchmarkError, OSError, ValueError) as error:
                    # ValueError: a name that is no text, as one out of an old archive.
                    report.faults[name] = str(error)
        for name in self._saved.keys() - now.keys():
            try:
                self.store.delete(self.prefix + name)
                del self._saved[name]
                report.done += 1
            except BenchmarkError as error:
                report.faults[name] = str(error)
        if report.done:
            self._write()
        return report

    def is_empty(self) -> bool:
        return not any(self._files())

    def _fetch(self, name: str, key: str) -> None:
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ValueError("not the name of a file below the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".fetch-{path.name}"[:255])
        with self.store.open(key) as body, fresh.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)
        fresh.replace(path)
        self._saved[name] = _stamp(path)

    def _files(self) -> Iterator[tuple[str, Stamp]]:
        for place, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if _kept(name)]
            for name in filter(_kept, names):
                path = Path(place, name)
                try:
                    if path.is_file() and not path.is_symlink():
                        yield path.relative_to(self.folder).as_posix(), _stamp(path)
                except OSError:
                    continue  # gone since

    def _read(self) -> dict[str, Stamp]:
        try:
            found = json.loads(self._state.read_text(encoding="utf-8"))
            return {str(name): (int(size), int(changed)) for name, (size, changed) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(self._saved), encoding="utf-8")
        fresh.replace(self._state)


def _kept(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT


def _all_kept(name: str) -> bool:
    """Whether it is a file that would be saved: not hidden, and no marker of a folder, with a last `/`."""
    return all(part and _kept(part) for part in name.split("/"))


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _set_aside(path: Path, node: str) -> None:
    number, aside = 1, path.with_name(f"{path.stem} (not saved on {node}){path.suffix}")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem} (not saved on {node}, {number}){path.suffix}")
    path.rename(aside)
