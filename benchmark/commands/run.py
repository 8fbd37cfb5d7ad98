"""`python -m benchmark run`: wait for the planned start, if there is one, then train, serve and measure."""

# ruff: noqa: PLC0415  (PyTorch takes hundreds of megabytes, which a wait of hours must not hold)
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmark.commands.schedule import add_arguments as add_timing
from benchmark.commands.schedule import plan
from benchmark.core.config import load_all
from benchmark.experiments.options import add_stack, add_workloads, filled
from benchmark.scheduling import schedule, waiting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workloads(parser)
    add_stack(parser)
    add_timing(parser)
    parser.add_argument(
        "--min-replicas",
        type=int,
        help="minimum number of replicas (default: one per compute node, at least 2)",
    )
    parser.add_argument(
        "--max-replicas", type=int, help="maximum number of replicas (default: twice the minimum)"
    )
    parser.add_argument(
        "--gate", type=Path, help="an earlier result.json or run (`runs` lists them); exit 1 if worse"
    )
    parser.add_argument(
        "--status",
        type=Path,
        help="a file with what `aidc status` prints as JSON: backup and drill for the report",
    )
    parser.add_argument(
        "--find-rate",
        action="store_true",
        help="search for the highest rate within the latency bound (the release tier always does)",
    )


def main(options: argparse.Namespace) -> int:
    try:
        record = wait(options) if options.window or options.series else None
    except KeyboardInterrupt:
        print("\ninterrupted while waiting; nothing was started", file=sys.stderr)
        return 130
    from benchmark.experiments import run

    return run.main(filled(run.Options, options, schedule=record))


def wait(options: argparse.Namespace) -> dict[str, Any]:
    """Wait until the planned start; the result's record of it. Mistakes are reported before the wait."""
    start = plan(options)
    load_all(options.workload_files, options.tier)
    # A name alone may be a run that only MLflow has.
    if options.gate and (options.gate.exists() or options.gate.suffix or len(options.gate.parts) > 1):
        from benchmark.commands.compare import load_earlier

        load_earlier(options.gate)
    print("\n".join(schedule.lines(start)), file=sys.stderr, flush=True)
    return schedule.record(start, waiting.wait(start))
