"""Messages on standard error while the benchmark works: progress, errors, and where results are written."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis.runs import Run
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.core.verdict import text_of
from benchmark.core.words import cell, masked


def record_error(result: dict[str, Any], where: str, error: BenchmarkError) -> None:
    results.add_error(result, where, str(error))
    say(f"{where}: {error}")


def show_message(kind: str, content: dict[str, Any], where: str | None = None) -> None:
    """One line of progress, prefixed by `where` (how far the run is); a terminal overwrites the last line."""
    if kind == "error":
        say(f"{content.get('type')}: {content.get('message')}")
        return
    text = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in content.items())
    if where:
        text = f"{where}: {text}"
    text = cell(text)
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:140]}", end="", file=sys.stderr, flush=True)
    elif re.search("stage|seconds", text):
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    print(("\r\033[K" if sys.stderr.isatty() else "") + masked(text), file=sys.stderr, flush=True)


def report_refusal(error: BenchmarkError) -> int:
    """Print why nothing was started and that nothing was written; the exit code: 2 bad input, else 1."""
    say(str(error))
    say("nothing was started, and no earlier result was touched")
    return 2 if isinstance(error, ConfigError) else 1


def record_stop(result: dict[str, Any], where: str, error: BenchmarkError | KeyboardInterrupt) -> int:
    """Record in the result what ended the run; the exit code: 2 bad input, 130 interrupted, else 1."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            results.add_error(result, where, problem)
            say(problem)
        return 2
    if isinstance(error, BenchmarkError):
        record_error(result, where, error)
        return 1
    results.add_error(result, where, "interrupted by the user; what was measured until then is kept")
    say("interrupted; running jobs were stopped, and what was measured until then is kept")
    return 130


def conclude(result: dict[str, Any], run: Run, *pages: Path) -> None:
    """Print verdicts and errors. A complete run becomes the newest one; for another one say where it is."""
    if result["complete"]:
        report_outcome(result, run.path, *run.publish(), *pages)
        return
    report_outcome(result, run.path, *pages)
    if run.copy.exists():
        say(f"{run.copy} still holds the result of an earlier run")


def report_outcome(result: dict[str, Any], path: Path, *pages: Path) -> None:
    """Print verdicts, errors, and the paths of what was written."""
    for row in result["verdicts"]:
        say(text_of(row))
    for error in result["errors"]:
        say(f"       error  {error['where']}: {error['message'].splitlines()[0]}")
    say(f"{'complete' if result['complete'] else 'incomplete'}: {', '.join(map(str, [path, *pages]))}")
