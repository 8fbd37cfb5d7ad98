"""The processes that /proc has: who descends from whom, and what they have used of the processors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """`cpu_s`: seconds of a processor, with those of its children that have ended and were waited for.

    `ended`: nobody has waited for it yet.
    """

    number: int
    parent: int
    cpu_s: float = 0.0
    ended: bool = False


def of(number: int, stat: bytes) -> Process:
    """From the content of its file `stat`. Raises ValueError."""
    # What stands before the last bracket is a name, which may hold anything.
    state, parent, *more = stat.rpartition(b")")[2].split()
    return Process(number, int(parent), sum(map(int, more[9:13])) / TICKS, state in (b"Z", b"X"))


def present() -> Iterator[Process]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, ValueError):  # it has just ended
                yield of(int(folder.name), (folder / "stat").read_bytes())


def descendants(root: int, among: Iterable[Process]) -> list[Process]:
    """All of `among` that descend from the process `root`. Pure."""
    below: dict[int, list[Process]] = {}
    for one in among:
        below.setdefault(one.parent, []).append(one)
    found, seen, left = list[Process](), {root}, [root]
    while left:
        fresh = [one for one in below.get(left.pop(), []) if one.number not in seen]
        found += fresh
        seen.update(one.number for one in fresh)
        left += (one.number for one in fresh)
    return found


def cpu_seconds(root: int) -> float:
    """What a process and all that it has started have used, with those that have ended."""
    there = list(present())
    family = [*(one for one in there if one.number == root), *descendants(root, there)]
    return sum(one.cpu_s for one in family)
