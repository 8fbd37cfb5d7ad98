"""Mistakes in what a user wrote: where, what is wrong, and the fix. One form for all of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

# Characters of a text that a message repeats; the longest names, of buckets and of settings, are shorter.
LONGEST = 100


@dataclass(frozen=True)
class Issue:
    """One mistake: where (`path`, a key or a file; `line`), what is wrong (`fault`), what to do (`fix`)."""

    path: str
    fault: str
    fix: str
    line: int | None = None

    @classmethod
    def at(cls, place: str, field: str, fault: str, fix: str) -> Issue:
        """A mistake at `place`, `file:line` or a path alone, and there in `field` unless that is empty."""
        path, _, line = place.rpartition(":")
        fault = f"{field}: {fault}" if field else fault
        return cls(path, fault, fix, int(line)) if line.isdigit() else cls(place, fault, fix)

    @property
    def place(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"

    @property
    def sentence(self) -> str:
        """All of it in one line, for machine-readable reports."""
        return f"{self.place}: {self.fault}. Fix: {self.fix}"

    def __str__(self) -> str:
        return f"{self.place}: {self.fault}\n    fix: {self.fix}"


class ConfigError(Exception):
    """The input contains mistakes; `issues` lists every one of them.

    The text begins with their number and `where` they are, unless that is empty.
    """

    def __init__(self, issues: Sequence[Issue], where: str = "in the stack's configuration") -> None:
        self.issues = list(issues)
        count = f"{len(self.issues)} mistake{'s' if len(self.issues) > 1 else ''}"
        lines = [f"{count} {where}", *(f"  {issue}" for issue in issues)] if where else map(str, issues)
        super().__init__("\n".join(lines))


def escaped(text: str) -> str:
    """`text`, escaped where it holds a line break, or anything else that a terminal would obey."""
    return text if text.isprintable() else repr(text)[1:-1]


def shortened(text: str) -> str:
    """`text`, or its beginning where it is longer than any name."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def suggest(given: object, known: Collection[str], otherwise: str) -> str:
    """`did you mean 'x'?` for a near miss, else `otherwise`."""
    close = get_close_matches(str(given), sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise
