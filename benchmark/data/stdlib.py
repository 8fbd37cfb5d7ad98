"""The standard library's source as a data set, and the frozen list of files that defines it.

The list has one line per file: SHA-256, size, part (`train` or `heldout`) and path, separated
by tabs, below two comment lines with the Python version and the list's own digest. Its
author made it with `python -m benchmark freeze` inside the compute image.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.core.config import WORKLOADS_DIR, SourceCodeData
from benchmark.core.errors import DataError
from benchmark.data.records import Records, Split

# Tests are repetitive and huge; the rest is absent from some distributions or differs by build.
EXCLUDED = frozenset(
    [
        "test",
        "tests",
        "idle_test",
        "__pycache__",
        "site-packages",
        "dist-packages",
        "lib-dynload",
        "idlelib",
        "tkinter",
        "turtledemo",
        "lib2to3",
        "distutils",
        "ensurepip",
        "__phello__",
    ]
)
EXCLUDED_PREFIXES = ("_sysconfigdata", "_sysconfig_vars", "sitecustomize", "config-", "turtle", "pydoc_data")
SHOWN = 8


@dataclass(frozen=True)
class Entry:
    sha256: str
    size: int
    part: str
    path: str


class SourceCode:
    def __init__(self, config: SourceCodeData, frozen: bool = True, root: Path | None = None) -> None:
        self.config, self.frozen = config, frozen
        self.root = root or Path(sysconfig.get_path("stdlib"))
        self.mismatch: dict[str, Any] = {"bytes_fraction": None, "files": []}
        self.list_path = WORKLOADS_DIR / config.files

    def collect(self) -> Records:
        """All files of the frozen list that are here unchanged; too many others are an error."""
        found = collect_files(self.root)
        if not self.frozen:
            return Records({}, tuple(found), tuple(found.values()))
        entries = read_list(self.list_path)
        good = {}
        bad = []
        for entry in entries:
            content = found.get(entry.path)
            if content is None:
                bad.append((entry, "missing"))
            elif hashlib.sha256(content).hexdigest() != entry.sha256:
                bad.append((entry, "differs"))
            else:
                good[entry.path] = content
        fraction = sum(entry.size for entry, _ in bad) / max(1, sum(e.size for e in entries))
        self.mismatch = {
            "bytes_fraction": round(fraction, 6),
            "files": [f"{e.path} ({why})" for e, why in bad],
        }
        if fraction > self.config.tolerance:
            shown = ", ".join(self.mismatch["files"][:SHOWN]) + (", …" if len(bad) > SHOWN else "")
            raise DataError(
                f"{self.list_path}: {fraction:.1%} of the frozen bytes are not in {self.root} (Python "
                f"{platform.python_version()}), {self.config.tolerance:.0%} are tolerated: {shown}. "
                "Train in a stack, whose image has that Python, or give --unfrozen-data for a result that "
                "compares with no other."
            )
        return Records({}, tuple(good), tuple(good.values()))

    def clean(self, records: Records) -> Records:
        """Drop empty files, files that are not text, and copies: a copy could cross the split."""
        seen: set[bytes] = set()
        names, contents = [], []
        for name, content in zip(records.names, records.contents, strict=True):
            key = hashlib.sha256(content).digest()
            if content.strip() and is_text(content) and key not in seen:
                seen.add(key)
                names.append(name)
                contents.append(content)
        return Records({}, tuple(names), tuple(contents))

    def normalise(self, records: Records) -> Records:
        """Unix line ends, one newline at the end."""
        contents = (c.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n" for c in records.contents)
        return Records({}, records.names, tuple(contents))

    def split(self, records: Records) -> tuple[Split, Split]:
        parts: dict[str, list[bytes]] = {"train": [], "heldout": []}
        for content in records.contents:
            parts[part_of(content, self.config.heldout_per_mille)].append(content)
        for name, contents in parts.items():
            if not contents:
                raise DataError(
                    f"{self.root}: the {name} part is empty: too few source files ({len(records)})"
                )
        return as_split(parts["train"]), as_split(parts["heldout"])

    def augment(self, train: Split) -> Split:
        return train

    def provenance(self) -> dict[str, Any]:
        return {
            "python": platform.python_version(),
            "frozen": self.frozen,
            "files": self.config.files,
            "mismatch": self.mismatch,
        }


def collect_files(root: Path) -> dict[str, bytes]:
    """Path relative to `root` -> content of each source file, sorted, exclusions applied."""
    found: dict[str, bytes] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in EXCLUDED and not f.startswith(EXCLUDED_PREFIXES))
        for file in sorted(files):
            path = Path(folder, file)
            if file.endswith(".py") and not file.startswith(EXCLUDED_PREFIXES) and not path.is_symlink():
                found[path.relative_to(root).as_posix()] = path.read_bytes()
    return dict(sorted(found.items()))


def part_of(content: bytes, heldout_per_mille: int) -> str:
    """By content, not by name: the same text always falls on the same side."""
    return (
        "heldout" if int(hashlib.sha256(content).hexdigest()[:8], 16) % 1000 < heldout_per_mille else "train"
    )


def is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def as_split(contents: list[bytes]) -> Split:
    # A form feed between files tells the model that the subject changes.
    return Split({"bytes": np.frombuffer(b"\f".join(contents), dtype=np.uint8)})


def freeze(config: SourceCodeData, root: Path | None = None, version: str = "") -> str:
    """A frozen list of the library at `root` (default: this interpreter's) of Python `version`."""
    source = SourceCode(config, frozen=False, root=root)
    collected = source.collect()
    original = dict(zip(collected.names, collected.contents, strict=True))
    lines = []
    cleaned = source.normalise(source.clean(collected))
    for name, content in zip(cleaned.names, cleaned.contents, strict=True):
        raw = original[name]
        part = part_of(content, config.heldout_per_mille)
        lines.append(f"{hashlib.sha256(raw).hexdigest()}\t{len(raw)}\t{part}\t{name}\n")
    body = "".join(lines)
    head = f"# Python {version or platform.python_version()}: sha256, bytes, part, path\n"
    return f"{head}# sha256 of the lines below: {hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def read_list(path: Path) -> list[Entry]:
    """Parse a frozen list and check its own digest."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise DataError(f"{path}: the frozen list of files cannot be read: {error.strerror}") from error
    head, body = lines[:2], lines[2:]
    stated = head[1].rsplit(":", 1)[-1].strip() if len(head) == 2 else ""
    if hashlib.sha256("".join(body).encode()).hexdigest() != stated:
        raise DataError(
            f"{path}: line 2: the stated sha256 does not match the list; make it anew with `freeze`"
        )
    entries = []
    for number, line in enumerate(body, start=3):
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 4 or not fields[1].isdigit():
            raise DataError(f"{path}: line {number}: must be sha256, bytes, part, path separated by tabs")
        entries.append(Entry(fields[0], int(fields[1]), fields[2], fields[3]))
    return entries
