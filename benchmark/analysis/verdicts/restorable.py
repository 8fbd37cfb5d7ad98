"""The verdict on the backup of what the run makes: has it been restored for trial, and lately?"""

from __future__ import annotations

from typing import Any

from benchmark.core.verdict import verdict

NAME = "recovery"
EXPECTED = "the newest restore drill passed, and none is overdue"
# A drill that did not come, or is not due, shows neither that the backup is good nor that it is not.
OUTCOMES = {"passed": True, "failed": False}


def rows(restorable: dict[str, Any] | None) -> list[dict[str, str]]:
    """One row where the stack was asked."""
    if restorable is None:
        return []
    drill = restorable.get("drill")
    if drill is None:
        actual = restorable.get("problem") or "no drill service runs"
        return [verdict(NAME, None, EXPECTED, actual)]
    return [verdict(NAME, OUTCOMES.get(drill["result"]), EXPECTED, drill["text"])]
