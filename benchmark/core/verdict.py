"""One verdict: a row of name, verdict, expected, actual.

There are three words, here and everywhere: pass, fail, inconclusive. What could not be checked is
inconclusive, and `actual` gives the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Outcome = Literal["pass", "fail", "inconclusive"]
OUTCOMES: Mapping[Outcome, bool | None] = {"pass": True, "fail": False, "inconclusive": None}


def word(outcome: bool | None) -> Outcome:
    return "inconclusive" if outcome is None else "pass" if outcome else "fail"


def verdict(name: str, outcome: bool | None, expected: str, actual: str) -> dict[str, str]:
    return {"name": name, "verdict": word(outcome), "expected": expected, "actual": actual}


def text_of(row: Mapping[str, Any]) -> str:
    """A row as text: pass, fail or inconclusive first, so that many lines form a column."""
    return f"{row['verdict']:>12}  {row['name']}: {row['actual']} (expected {row['expected']})"
