"""One verdict: a row of name, verdict, expected, actual."""

from __future__ import annotations


def verdict(name: str, outcome: bool | None, expected: str, actual: str) -> dict[str, str]:
    word = "inconclusive" if outcome is None else "pass" if outcome else "fail"
    return {"name": name, "verdict": word, "expected": expected, "actual": actual}
