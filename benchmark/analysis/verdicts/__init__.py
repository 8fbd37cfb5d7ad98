"""Verdicts: pure functions from a result to rows of name, verdict, expected, actual.

There are three verdicts. `pass` and `fail` are given only where the measurement supports them; otherwise a
row is `inconclusive`, and `actual` says why: too few samples, an interval that contains the bound, a check
that could not be made, or, instead of `fail`, other programs that took the machine
(`benchmark.cluster.hostload`).
"""

from __future__ import annotations

from typing import Any

from benchmark.analysis.verdicts import (
    efficiency,
    integrity,
    quality,
    recovery,
    restorable,
    serving,
    throughput,
)
from benchmark.analysis.verdicts.throughput import RATIO_BOUND, bare_pairs

__all__ = ["RATIO_BOUND", "bare_pairs", "judge"]


def judge(result: dict[str, Any]) -> list[dict[str, str]]:
    """All verdicts that the result has grounds for, quality first."""
    workloads = result.get("configuration", {}).get("workloads", {})
    runs = {name: [r for r in result["training"] if r["workload"] == name] for name in workloads}
    served = result.get("serving") or {}
    return [
        *(quality.row(name, workload, runs[name]) for name, workload in workloads.items()),
        *(row for name, workload in workloads.items()
          for row in throughput.waiting(name, workload, runs[name])),
        *(serving.same_answers(row) for row in served.get("models", [])),
        *serving.latency_rows(served.get("latency", [])),
        *serving.written(served.get("generation") or []),
        *serving.rows(served),
        *throughput.cost_of_the_stack(result),
        *efficiency.rows(result.get("efficiency")),
        *(integrity.of_data(name, data) for name, data in result.get("data", {}).items()),
        *recovery.rows(result.get("recovery") or {}),
        *restorable.rows(result.get("restorable")),
        *integrity.of_event_log(result),
    ]  # fmt: skip
