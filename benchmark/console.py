"""What the benchmark says while it works, on standard error: progress, errors, and where all is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis.runs import Run
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.core.verdict import text_of


def note(result: dict[str, Any], where: str, error: BenchmarkError) -> None:
    results.add_error(result, where, str(error))
    say(f"{where}: {error}")


def show(kind: str, content: dict[str, Any], where: str | None = None) -> None:
    """Progress as a line, after `where` the run is; a terminal overwrites the line before."""
    if kind == "error":
        say(f"{content.get('type')}: {content.get('message')}")
        return
    text = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in content.items())
    if where:
        text = f"{where}: {text}"
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:140]}", end="", file=sys.stderr, flush=True)
    elif re.search("stage|seconds", text):
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    print(("\r\033[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)


def refused(error: BenchmarkError) -> int:
    """Say why nothing was started, and that nothing was written; the exit code: 2 bad input, else 1."""
    say(str(error))
    say("nothing was started, and no earlier result was touched")
    return 2 if isinstance(error, ConfigError) else 1


def stopped(result: dict[str, Any], where: str, error: BenchmarkError | KeyboardInterrupt) -> int:
    """Keep in the result what ended the run; the exit code: 2 bad input, 130 interrupted, else 1."""
    if isinstance(error, ConfigError):
        for problem in error.problems:
            results.add_error(result, where, problem)
            say(problem)
        return 2
    if isinstance(error, BenchmarkError):
        note(result, where, error)
        return 1
    results.add_error(result, where, "interrupted by the user; what was measured until then is kept")
    say("interrupted; what ran was stopped, what was measured until then is kept")
    return 130


def ended(result: dict[str, Any], run: Run, *pages: Path) -> None:
    """Print verdicts and errors. A complete run becomes the newest one, another says where it is."""
    if result["complete"]:
        finish(result, run.path, *run.publish(), *pages)
        return
    finish(result, run.path, *pages)
    if run.copy.exists():
        say(f"{run.copy} is still that of an earlier run")


def finish(result: dict[str, Any], path: Path, *pages: Path) -> None:
    """Print verdicts, errors, and where all is written."""
    for row in result["verdicts"]:
        say(text_of(row))
    for error in result["errors"]:
        say(f"       error  {error['where']}: {error['message'].splitlines()[0]}")
    say(f"{'complete' if result['complete'] else 'incomplete'}: {', '.join(map(str, [path, *pages]))}")
