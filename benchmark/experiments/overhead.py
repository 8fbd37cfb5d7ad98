"""`python -m benchmark overhead`: what does the stack cost the training?

The same training runs in the stack and on this host (the host baseline), with as many ranks and threads,
in turns: stack, host, host, stack, and so on, so that a drift of the machine's speed affects both. Each
round has its own seed. The services of the stack run all the time, so both sides pay for what they cost
when idle.

The measurements become a result, judged by pairs of the same seed, and its report.

Exit codes: 0 no verdict failed; 1 one failed, or a run did; 2 bad input; 130 interrupted.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import launch
from benchmark.cluster import stack as stacks
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.inventory import container_names
from benchmark.cluster.stack import Stack
from benchmark.console import conclude, record_stop, report_refusal, say, show_message
from benchmark.core import files
from benchmark.core.config import Workload, load_all
from benchmark.core.errors import BenchmarkError
from benchmark.core.stats import LEAST_PAIRS, alternating
from benchmark.core.store import DirectoryStore
from benchmark.experiments.jobs import (
    Host,
    attach_host_load,
    describe_stack,
    execute,
    merge_training,
    throughput_text,
    train_on_host,
)
from benchmark.experiments.options import TrainingOptions, add_pairs, add_stack, add_workloads
from benchmark.report import pages
from benchmark.training.spec import Spec

SIDES = ("stack", "host")


@dataclass(frozen=True)
class Options(TrainingOptions):
    pairs: int = LEAST_PAIRS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workloads(parser)
    add_stack(parser, out="out/{stack}/overhead")
    add_pairs(parser)


def main(options: Options) -> int:
    seeds = list(range(1, options.pairs + 1))
    try:
        loaded = load_all(options.workload_files, options.tier)
        files.check_folder(options.out)
        stack = stacks.read(options.stack, options.inventory, options.access)
        run = runs.begin(options.out, results.new_run_id("overhead-"))
    except BenchmarkError as error:
        return report_refusal(error)
    result, path = results.new(options.stack, options.tier, run.run_id), run.path
    result["turns"] = {"rounds": options.pairs}
    workloads = [w.model_copy(update={"seeds": seeds}) for w in loaded]
    result["configuration"]["workloads"] = {w.name: w.model_dump(mode="json") for w in workloads}
    code = 0
    try:
        describe_stack(result, stack)
        for workload in workloads:
            measure(result, workload, stack, options, path)
        result["complete"] = not result["errors"]
    except (BenchmarkError, KeyboardInterrupt) as error:
        code = record_stop(result, "overhead", error)
    result["finished"] = results.now()
    results.save(result, path)
    conclude(result, run, pages.write(path))
    failed = not result["complete"] or any(v["verdict"] == "fail" for v in result["verdicts"])
    return code or int(failed)


def measure(result: dict[str, Any], workload: Workload, stack: Stack, options: Options, path: Path) -> None:
    """All rounds of one workload; what was measured is in the result as it comes."""
    ranks = options.ranks(stack)
    ray, store, frozen = stack.ray(), stack.store(), not options.unfrozen_data
    host = Host(DirectoryStore(options.out / "bare"), store, ranks, options.threads, frozen)
    todo = alternating(SIDES, options.pairs)
    say(f"{workload.name}: training in the stack and on this host, {ranks} ranks each")
    for number, (turn, side) in enumerate(todo, start=1):
        one = workload.model_copy(update={"seeds": [workload.seeds[turn]]})
        run_id = f"{result['run_id']}-{number}"
        runs = result["training" if side == "stack" else "bare"]
        before = len(runs)
        if side == "host":
            with HostLoad(container_names(stack.inventory)) as load:
                train_on_host(result, one, host, run_id, errors_only)
        else:
            spec = Spec(run_id=run_id, workload=one, world_size=ranks, threads=options.threads,
                        frozen_data=frozen)  # fmt: skip
            start = partial(launch.in_stack, spec, ray, store, errors_only)
            merge = partial(merge_training, result, workload.name)
            with HostLoad(container_names(stack.inventory)) as load:
                execute(result, workload.name, spec=spec, store=store, start=start, merge=merge)
        attach_host_load(load, runs[before:])
        say(f"{number} of {len(todo)}: {side}, {throughput_text(runs[before:]) or 'no run'}")
        results.save(result, path)


def errors_only(kind: str, content: dict[str, Any]) -> None:
    if kind == "error":
        show_message(kind, content)
