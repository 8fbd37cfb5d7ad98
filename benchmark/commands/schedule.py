"""`python -m benchmark schedule`: print when a run would start, and do not run."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from benchmark.core.errors import ConfigError
from benchmark.scheduling import schedule, series, waiting
from benchmark.scheduling.schedule import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window", help="begin and end within it: 22:00-06:00 (UTC), or two ISO 8601 times, START/END"
    )
    parser.add_argument(
        "--series", type=Path, help="prices or carbon, CSV or JSON: start when it is cheapest"
    )
    parser.add_argument(
        "--expected-duration", type=float, default=600, help="seconds that the run takes (default: 600)"
    )


def main(options: argparse.Namespace) -> int:
    print("\n".join(schedule.lines(plan(options))))
    return 0


def plan(options: argparse.Namespace) -> Plan:
    """ConfigError with the mistakes of window and series together."""
    problems, window, values = [], None, None
    try:
        window = schedule.parse_window(options.window) if options.window else None
    except ConfigError as error:
        problems += error.problems
    try:
        values = series.load(options.series) if options.series else None
    except ConfigError as error:
        problems += error.problems
    if not 0 < options.expected_duration < 366 * 86400:
        problems.append("--expected-duration: give seconds, above 0 and less than a year")
    if problems:
        raise ConfigError(problems)
    return schedule.choose(waiting.now(), timedelta(seconds=options.expected_duration), window, values)
