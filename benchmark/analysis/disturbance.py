"""How a busy host affects a verdict: pure functions of the records of `hostload`.

A measurement on a busy host proves no fault: what was too slow there may be fast enough elsewhere. So a
verdict on speed or on requests under load that would be `fail` is `inconclusive` when others took more than
BUSY_SHARE of the processors. A pass stays one: it was reached in spite of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Of all processors, on average over the measurement. Services of an idle host take one or two per cent; a
# benchmark that needs every core loses a tenth of its speed to programs that take a tenth.
BUSY_SHARE = 0.10
Load = Mapping[str, Any] | None


def busy(load: Load) -> str:
    """Why a measurement under this load proves no fault; empty on a quiet host, or one of unknown load."""
    share = (load or {}).get("others_share")
    if share is None or share <= BUSY_SHARE:
        return ""
    return f"other programs took {100 * share:.0f} % of the processors"


def excused(outcome: bool | None, actual: str, *loads: Load) -> tuple[bool | None, str]:
    """Outcome and text of a verdict, whose failure does not count on a busy host."""
    reason = busy(together(loads))
    return (None, f"{actual}; {reason}") if outcome is False and reason else (outcome, actual)


def together(loads: Iterable[Load]) -> dict[str, Any]:
    """One record of several measurements: their shares weighted by seconds."""
    known = [load for load in loads if load and load.get("others_share") is not None]
    seconds = sum(load["seconds"] for load in known)
    share = sum(load["seconds"] * load["others_share"] for load in known) / seconds if seconds else None
    return {"seconds": seconds, "others_share": share}
