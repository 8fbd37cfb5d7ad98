"""Whether a load's 99th percentile keeps its bound: pure functions of a row that `client.summarise` makes.

A percentile of 800 answers is an estimate: a service that answers 1.25 % late has its p99 above the bound,
and yet one measurement of three shows it below. So what is judged is the number of late answers, by the
exact binomial interval: pass, fail, or open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.core import stats

Row = Mapping[str, Any]


def late(row: Row, bound_ms: float) -> tuple[int, int]:
    """The fewest and the most answers that can have taken longer than `bound_ms`.

    Both are the same where they were counted; a row without the count has only its curve to go by.
    """
    if row.get("over_bound") is not None:
        return row["over_bound"], row["over_bound"]
    count = row["samples"]
    if row.get("max_ms") is not None and row["max_ms"] <= bound_ms:
        return 0, 0
    within = [share for value, share in row.get("ecdf", []) if value <= bound_ms]
    beyond = [share for value, share in row.get("ecdf", []) if value > bound_ms]
    most = count - round(max(within, default=0.0) * count)
    fewest = count - round(min(beyond) * count) + 1 if beyond else 0
    return min(fewest, most), most


def judge(row: Row, bound_ms: float) -> tuple[bool | None, str]:
    """Whether 99 % of the requests are answered within the bound and none fails, and if not so, why."""
    if row["errors"]:
        return False, f"{row['errors']} failed requests"
    if row["samples"] < stats.P99_SAMPLES:
        return None, f"{row['samples']} answers are below the {stats.P99_SAMPLES} that a p99 needs"
    fewest, most = late(row, bound_ms)
    if stats.at_most(stats.P99_SHARE, most, row["samples"]):
        return True, ""
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    if stats.at_most(stats.P99_SHARE, fewest, row["samples"]) is False:
        return False, f"p99 above {bound_ms:g} ms: {count} of {row['samples']} answers"
    return None, f"{count} of {row['samples']} answers above {bound_ms:g} ms: p99 may be on either side of it"
