"""One verdict: a row of name, verdict, expected, actual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verdict(name: str, outcome: bool | None, expected: str, actual: str) -> dict[str, str]:
    word = "inconclusive" if outcome is None else "pass" if outcome else "fail"
    return {"name": name, "verdict": word, "expected": expected, "actual": actual}


def text_of(row: Mapping[str, Any]) -> str:
    """A row as text: pass, fail or inconclusive first, so that many lines form a column."""
    return f"{row['verdict']:>12}  {row['name']}: {row['actual']} (expected {row['expected']})"
