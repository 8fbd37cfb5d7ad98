"""What the benchmark says while it works, on standard error: progress, errors, and where all is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from benchmark import result as results
from benchmark.errors import BenchmarkError, ComparisonError, ConfigError
from benchmark.verdict import text_of


def note(result: dict[str, Any], where: str, error: BenchmarkError) -> None:
    results.add_error(result, where, str(error))
    say(f"{where}: {error}")


def show(kind: str, content: dict[str, Any]) -> None:
    """Progress as a line: where a terminal looks on, the same line is overwritten."""
    if kind == "error":
        say(f"{content.get('type')}: {content.get('message')}")
        return
    text = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in content.items())
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
    elif re.search("stage|seconds", text):
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    print(("\r\033[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)


def stopped(result: dict[str, Any], where: str, error: BenchmarkError | KeyboardInterrupt) -> int:
    """Keep in the result what ended the run; the exit code: 2 bad input, 130 interrupted, else 1."""
    if isinstance(error, ConfigError):
        source = "gate" if isinstance(error, ComparisonError) else "workload files"
        for problem in error.problems:
            results.add_error(result, source, problem)
            say(problem)
        return 2
    if isinstance(error, BenchmarkError):
        note(result, where, error)
        return 1
    results.add_error(result, where, "interrupted by the user; what was measured until then is kept")
    say("interrupted; what ran was stopped, what was measured until then is kept")
    return 130


def finish(result: dict[str, Any], path: Path, *pages: Path) -> None:
    """Print verdicts, errors, and where all is written."""
    for row in result["verdicts"]:
        say(text_of(row))
    for error in result["errors"]:
        say(f"       error  {error['where']}: {error['message'].splitlines()[0]}")
    say(f"{'complete' if result['complete'] else 'incomplete'}: {', '.join(map(str, [path, *pages]))}")
