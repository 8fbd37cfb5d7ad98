"""`python -m benchmark compare`: is one result worse than an earlier one?

Exit codes: 0 not worse, or inconclusive; 1 worse; 2 a file cannot be used, or the two are not comparable.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.analysis import gate
from benchmark.analysis import result as results
from benchmark.core.errors import BenchmarkError, ComparisonError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("baseline", type=Path, help="the earlier result.json")
    parser.add_argument("candidate", type=Path, help="the result.json to judge")


def main(options: argparse.Namespace) -> int:
    comparison = gate.compare(load_earlier(options.baseline), load_earlier(options.candidate))
    for line in gate.lines(comparison):
        print(line)
    return 1 if comparison["verdict"] == "fail" else 0


def load_earlier(path: Path) -> dict[str, Any]:
    """A result to compare. Exit code 1 means worse, so a file that cannot be used is bad input: exit 2."""
    try:
        return results.load(path)
    except BenchmarkError as error:
        raise ComparisonError([str(error)]) from error
