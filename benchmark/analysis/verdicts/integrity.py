"""Verdicts on what the figures rest on: the data sets and the event log."""

from __future__ import annotations

from typing import Any

from benchmark.core.verdict import verdict

COMPLETE = "complete and in order"


def of_event_log(result: dict[str, Any]) -> list[dict[str, str]]:
    """One row where training left event logs."""
    problems = result.get("event_problems")
    if problems is None or not result["training"]:
        return []
    return [verdict("event log", not problems, COMPLETE, "; ".join(problems[:3]) or COMPLETE)]


def of_data(name: str, data: dict[str, Any]) -> dict[str, str]:
    mismatch = data["provenance"].get("mismatch")
    if not mismatch:
        return verdict(f"data of {name}", True, "every shard has its hash", f"sha256 {data['sha256'][:12]}…")
    if not data["provenance"]["frozen"]:
        return verdict(
            f"data of {name}", None, "the frozen list of files", "not frozen: compares with no other result"
        )
    share = mismatch["bytes_fraction"]
    actual = f"sha256 {data['sha256'][:12]}…, {share:.2%} of the frozen bytes missing"
    return verdict(f"data of {name}", share == 0 or None, "the frozen list of files, complete", actual)
