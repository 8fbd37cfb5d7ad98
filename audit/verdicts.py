"""What an audit finds: one row per question, each with its verdict and never without a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from audit.records import VERDICTS, NoData, Record, Verdict

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Row:
    """One line of the verdict table. `fix` says what to do about a failure."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Part:
    """One part of the audit: its rows, and what the document holds beside them."""

    rows: tuple[Row, ...]
    data: Record = field(default_factory=NoData)

    def holding(self, kind: type[R]) -> R:
        """The data of this kind. Raises TypeError for a part that holds other data or none."""
        if not isinstance(self.data, kind):
            raise TypeError(f"expected {kind.__name__}, found {type(self.data).__name__}")
        return self.data


def judged(name: str, faults: Sequence[object], good: str, bad: str, fix: str) -> Row:
    """`good` when there is no fault; else `bad` with the first faults named."""
    if not faults:
        return Row(name, "pass", good)
    return Row(name, "fail", f"{bad}: {shortened([str(fault) for fault in faults])}", fix)


def not_checked(name: str, reason: str, fix: str = "") -> Row:
    return Row(name, "not checked", reason, fix)


def shortened(items: Sequence[str], most: int = 3) -> str:
    """The first few items, and how many more there are."""
    more = len(items) - most
    return "; ".join(items[:most]) + (f"; and {more} more" if more > 0 else "")


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows have each verdict."""
    found = [row.verdict for row in rows]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def plural(number: int, noun: str) -> str:
    """`1 probe`, `2 probes`, `2 differences`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"
