"""The section on the same training without the stack, on the host itself."""

from __future__ import annotations

from typing import Any

from benchmark.analysis.verdicts import bare_pairs
from benchmark.report import text

Result = dict[str, Any]


def section(result: Result) -> list[dict[str, str]]:
    rows = []
    for name, pairs in bare_pairs(result).items():
        unit = next(r["throughput"]["unit"] for r in result["training"] if r["workload"] == name)
        outside, inside = (sum(p[i] for p in pairs) / len(pairs) for i in (0, 1))
        rows.append({"workload": name, "inside": f"{text.count(inside)} {unit}",
                     "outside": f"{text.count(outside)} {unit}", "ratio": f"{inside / outside:.3f}",
                     "pairs": str(len(pairs))})  # fmt: skip
    return rows
