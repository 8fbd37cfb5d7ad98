"""What the experiments on served models share: which model, requests for it, and where the answer goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.analysis.verdicts import serving as serving_verdicts
from benchmark.cluster import stack as stacks
from benchmark.cluster.stack import Stack
from benchmark.core import files
from benchmark.core.errors import StackError
from benchmark.core.suggest import near
from benchmark.core.verdict import text_of
from benchmark.experiments.options import ServingOptions
from benchmark.report import pages

Result = dict[str, Any]


def measure(options: ServingOptions, key: str, examine: Callable[[Stack, Result], dict[str, Any]]) -> int:
    """Write `<key>.json`, and with --into the same under `serving.<key>` of a result and its report.

    Exit code: 0, or 1 if a verdict failed or something could not be measured.
    """
    files.check_folder(options.out)
    path = options.into or runs.newest(options.out)
    result = results.load(path)
    if not result.get("serving"):
        raise StackError(f"{path}: serving: nothing was served in this run; run the benchmark first")
    outcome = examine(stacks.read(options.stack, options.inventory, options.access), result)
    target = options.out / f"{key}.json"
    files.write_json(target, outcome)
    if options.into:
        pages.add_outcome(options.into, outcome, "serving", key)
    rows = serving_verdicts.rows({key: outcome})
    for row in rows:
        print(text_of(row))
    print(target)
    return 1 if outcome.get("errors") or any(row["verdict"] == "fail" for row in rows) else 0


def choose(result: Result, wanted: str | None, position: int) -> str:
    """The `wanted` workload, or the served one at this position; StackError if it is not served."""
    served = [row["workload"] for row in (result.get("serving") or {}).get("models", [])]
    name = wanted or (served[position] if served else "no workload")
    if name not in served:
        raise StackError(f"{name}: not served; served: {', '.join(served) or 'none'}{near(name, served)}")
    return name


def request_bodies(model: dict[str, Any]) -> list[bytes]:
    """Requests that fit the model of a workload's configuration."""
    if model["kind"] == "gpt":
        return [json.dumps({"instances": [f"def f{i}("]}).encode() for i in range(16)]
    rows = [[round((i * j) % 7 - 3 + i / 16, 4) for j in range(model["inputs"])] for i in range(16)]
    return [json.dumps({"instances": [row]}).encode() for row in rows]
