"""`python -m benchmark host-baseline`: the same training on this host, without the stack.

The same code runs under torchrun, over loopback. A complete run is added to the newest run in the stack, so
that the report shows the ratio.

Exit codes: 0; 1 a training failed; 2 bad input; 130 interrupted, what was finished until then is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import stack as stacks
from benchmark.cluster.hostload import HostLoad
from benchmark.console import conclude, record_stop, report_outcome, report_refusal, say
from benchmark.core import files
from benchmark.core.config import Workload, load_all
from benchmark.core.errors import BenchmarkError
from benchmark.core.store import DirectoryStore
from benchmark.experiments.jobs import Host, attach_host_load, train_on_host
from benchmark.experiments.options import TrainingOptions, add_stack, add_workloads
from benchmark.report import pages

RANKS = 2  # without a stack, unless --world-size is given


@dataclass(frozen=True)
class Options(TrainingOptions):
    no_stack: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workloads(parser)
    add_stack(parser)
    parser.add_argument(
        "--no-stack", action="store_true", help="prepare the data here instead of using the stack's"
    )


def main(options: Options) -> int:
    try:
        workloads = load_all(options.workload_files, options.tier)
        files.check_folder(options.out)
        stack = None if options.no_stack else stacks.read(options.stack, options.inventory, options.access)
        run = runs.begin(options.out, results.new_run_id("bare-"))
    except BenchmarkError as error:
        return report_refusal(error)
    ranks = options.ranks(stack) if stack else options.world_size or RANKS
    remote, frozen = stack.store() if stack else None, not options.unfrozen_data
    host = Host(DirectoryStore(options.out / "bare"), remote, ranks, options.threads, frozen)
    result, code = results.new(options.stack, options.tier, run.run_id), 0
    try:
        train_all(result, workloads, host, run.path)
        result["complete"] = not result["errors"]
    except KeyboardInterrupt as error:
        code = record_stop(result, "host baseline", error)
    result["finished"] = results.now()
    results.save(result, run.path)
    newest = runs.read(run.copy)
    if result["complete"] and newest and newest.get("training"):
        page = pages.add_outcome(run.copy, result["bare"], "bare")
        report_outcome(results.load(run.copy), run.copy, page)
    else:
        conclude(result, run, pages.write(run.path))
    return code or int(bool(result["errors"]))


def train_all(result: dict[str, Any], workloads: list[Workload], host: Host, path: Path) -> None:
    """Train each workload; its runs and errors are in the result, saved at `path` after each."""
    for workload in workloads:
        say(f"{workload.name}: training on the host, {host.ranks} ranks")
        before = len(result["bare"])
        with HostLoad() as load:
            train_on_host(result, workload, host, result["run_id"])
        attach_host_load(load, result["bare"][before:])
        results.save(result, path)
        for run in (r for r in result["bare"] if r["workload"] == workload.name):
            quality = run["quality"]
            say(f"{workload.name}: seed {run['seed']}: {quality['metric'].replace('_', ' ')} "
                f"{quality['value']:.4g}, target {quality['target']:g}")  # fmt: skip
