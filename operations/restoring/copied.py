"""A copy of a vault's data in a folder: whether it is one, and whether it is whole. Reads only.

restic names each file by the SHA-256 of its content, so that a damaged one is found without any key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.planning.issues import Issue

NAMED = ("keys", "snapshots", "index", "data")
NAME = re.compile(r"[0-9a-f]{64}")
REPOSITORY = "backup"  # as the vault's server calls the writer's
SHOWN = 5


@dataclass(frozen=True)
class Copied:
    """`root` holds the repository's `config`."""

    root: Path

    def files(self, *folders: str) -> Iterator[Path]:
        """The files of these folders in the order of their names; locks of dead writers are none of them."""
        for folder in folders or NAMED:
            yield from sorted(p for p in self._named(folder) if p.is_file())

    def _named(self, folder: str) -> Iterator[Path]:
        return (p for p in (self.root / folder).rglob("*") if NAME.fullmatch(p.name))

    def totals(self) -> tuple[int, int]:
        """Files, and their bytes."""
        sizes = [path.stat().st_size for path in self.files()]
        return len(sizes), sum(sizes)

    def damaged(self, on_file: Callable[[int], None]) -> list[Path]:
        """Files whose content is not the one that their name says, relative to the root."""
        # A pipe, a device or a dangling link in a file's place.
        found = [p.relative_to(self.root) for f in NAMED for p in self._named(f) if not p.is_file()]
        for path in self.files():
            if _digest(path) != path.name:
                found.append(path.relative_to(self.root))
            on_file(path.stat().st_size)
        return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find(folder: Path) -> tuple[Copied | None, list[Issue]]:
    """The copy in `folder`, which is the vault's data or the repository in it, and what is wrong with it."""
    fix = "give the folder with a copy of the vault's data, `backup` and all below it"
    if not folder.is_dir():
        fault = "is no folder" if folder.exists() else "does not exist"
        return None, [Issue(f"FROM {folder}", fault, fix)]
    root = folder / REPOSITORY if (folder / REPOSITORY).is_dir() else folder
    try:
        if not any(folder.iterdir()):
            return None, [Issue(f"FROM {folder}", "is empty", fix)]
        missing = ["config"] * (not (root / "config").is_file())
        missing += [name for name in NAMED if not any((root / name).rglob("*"))]
    except OSError as error:
        return None, [Issue(f"FROM {folder}", f"cannot be read: {error.strerror}", "read it as its owner")]
    if missing:
        fault = f"is no copy of a vault, or not a whole one: {', '.join(missing)} missing"
        return None, [Issue(f"FROM {folder}", fault, fix)]
    return Copied(root), []


def damage(paths: list[Path]) -> Issue:
    """What to do about damaged files."""
    names = ", ".join(str(path) for path in paths[:SHOWN])
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    fix = "copy them again, or restore what can be read all the same: DAMAGED=1"
    return Issue("FROM", f"damaged: {names}{more} (the content is not what the name says)", fix)
