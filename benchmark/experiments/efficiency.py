"""`python -m benchmark efficiency`: is our loop faster than a plain one, and do two ranks scale?

Both questions are about ratios, and a machine's speed drifts during the measurement. So the runs are
short and alternate: plain, ours, ours with AdamW, then the same backwards, and so on (ABBA); a
slow drift cancels within each pair of rounds. The result is the geometric mean of the ratios of
the runs of one round, with a 95 % interval (Student's, on the logarithms).

Our optimiser for language models is Muon: more work per step, fewer steps to the target. So ours is
measured twice: with the workload's optimiser, and with AdamW, the mathematics of the plain loop.

Scaling is core-normalised, X_N / (N X_1) with as many threads per rank on both sides: weak scaling with a
constant batch per rank, strong scaling with a constant global batch. Ranks that share cores cannot show it
("functional only"), nor can cores that other programs use. Cores also slow each other down through shared
resources: two independent copies of one rank show how much. If these miss the bound already, no
communication could reach it. All of these are inconclusive, with the reason. So is a ratio that misses its
bound while other programs used the machine. Ratios depend on the processor, which is recorded with them.

Exit codes: 0 no verdict failed; 1 one failed, or a run did; 2 bad input; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.analysis.documents.efficiency import SCHEMA, Efficiency
from benchmark.analysis.verdicts.efficiency import lines, rows, summarise, too_few_gpus
from benchmark.cluster import launch
from benchmark.cluster.hostload import HostLoad
from benchmark.console import say
from benchmark.core import files, machine
from benchmark.core.config import GptConfig, Workload, load
from benchmark.core.errors import ConfigError, DataError
from benchmark.core.stats import LEAST_PAIRS, alternating
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset
from benchmark.experiments.options import add_into, add_pairs, add_workload, at_least, one_of
from benchmark.experiments.segments import BYTES, Segment, Setting, Team, team
from benchmark.report import pages

SPEED_BOUND, SCALING_BOUND = 1.3, 0.9
RANKS = 2
PARTS = ("speed", "scaling")


@dataclass(frozen=True)
class Options:
    workload_file: Path
    tier: str
    out: Path
    pairs: int = LEAST_PAIRS
    steps: int = 30
    threads: int = 1
    into: Path | None = None
    unfrozen_data: bool = False
    only: str | None = None  # one of PARTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workload(parser)
    add_into(parser)
    add_pairs(parser)
    parser.add_argument("--steps", type=at_least(1), default=30, help="steps measured per run (default: 30)")
    parser.add_argument("--threads", type=at_least(1), default=1, help="threads per rank (default: 1)")
    parser.add_argument(
        "--only",
        type=one_of("question", PARTS),
        metavar=f"{{{','.join(PARTS)}}}",
        help="answer only this question (default: both)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of efficiency.json")


def main(options: Options) -> int:
    if options.into:
        results.load(options.into)  # fail before the time is spent
    workload = checked(load(options.workload_file, options.tier), options)
    record = new_record(workload, options)
    run = runs.begin(options.out, results.new_run_id("efficiency-"), "efficiency")
    path, code, done = run.folder / "efficiency.json", 0, False
    try:
        measure_all(record, workload, options)
        done = True
    except KeyboardInterrupt:
        record["problem"], code = "interrupted by the user; what was measured until then is kept", 130
        say(record["problem"])
    finally:
        record["finished"] = results.now()
        summarise(record)
        write(record, path, options.into)
    if done:  # otherwise an earlier complete one stays
        path = files.write(run.copy, path.read_text(encoding="utf-8"))
    for line in lines(record):
        print(line)
    print(path)
    return code or int(any(row["verdict"] == "fail" for row in rows(record)))


def checked(workload: Workload, options: Options) -> Workload:
    """The workload; ConfigError with everything that prevents the measurement."""
    problems = []
    if not isinstance(workload.model, GptConfig):
        problems.append(f"--workload {options.workload_file}: model.kind: the plain loop trains only a gpt")
    if workload.training.device != "cpu" and not torch.cuda.is_available():
        problems.append(f"--tier {options.tier}: training.device: cuda: PyTorch sees no GPU here")
    if workload.training.batch_size < RANKS:
        problems.append(f"--workload {options.workload_file}: training.batch_size: less than {RANKS}")
    if problems:
        raise ConfigError(problems)
    return workload


def new_record(workload: Workload, options: Options) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "started": results.now(),
        "finished": None,
        "problem": None,
        "environment": {"host": machine.facts(), **results.git()},
        "workload": workload.model_dump(mode="json"),
        "unit": workload.unit,
        "threads": options.threads,
        "steps": options.steps,
        "pairs": options.pairs,
        "device": workload.training.device,
        "cores": available_cores(),
        "gpus": torch.cuda.device_count() if workload.training.device == "cuda" else 0,
        "no_scaling": "",  # or the reason why the runs cannot show it
        "speed": {"bound": SPEED_BOUND, "runs": [], "ratios": {}},
        "scaling": {"bound": SCALING_BOUND, "ranks": RANKS, "runs": [], "efficiencies": {}},
    }


def available_cores() -> int:
    """CPUs that this process may use at the same time."""
    visible = len(os.sched_getaffinity(0))
    quota = machine.cpu_quota()
    return visible if quota is None else min(visible, max(1, int(quota)))


def measure_all(record: dict[str, Any], workload: Workload, options: Options) -> None:
    data = DirectoryStore(options.out / "bare")  # shared with the host baseline
    say(f"{workload.name}: data")
    manifest = prepare_data(workload, data, options)
    record["data_sha256"] = manifest["sha256"]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        launch.copy_data(data, DirectoryStore(root), manifest["prefix"])
        train = dataset.load(manifest, DirectoryStore(root), "train")
        (root / BYTES).write_bytes(train["bytes"].numpy().tobytes())
        setting = Setting(root, manifest, options.threads, workload.seeds[0], workload.training.device)
        for part, plan in zip(PARTS, (speed_plan, scaling_plan), strict=True):
            if part == "scaling" and (reason := too_few_gpus(record)):
                say(f"scaling: not measured: {reason}")
            elif options.only in (None, part):
                _measure(record[part], part, plan(workload), setting, options)


def prepare_data(workload: Workload, data: DirectoryStore, options: Options) -> dict[str, Any]:
    """The data; from this host's own library if it is not the frozen one: both sides use the same."""
    try:
        return dataset.prepare(workload, data, not options.unfrozen_data)
    except DataError as error:
        if options.unfrozen_data:
            raise
        say(f"{workload.name}: using this host's own library as data, which is fine for ratios: {error}")
        return dataset.prepare(workload, data, frozen=False)


def _measure(
    part: dict[str, Any], name: str, plan: dict[str, tuple[str, Workload]], setting: Setting, options: Options
) -> None:
    """Run a plan; each measurement is added to `part` at once."""
    with ExitStack() as stack:
        teams: dict[str, Team] = {}
        for who in dict.fromkeys(who for who, _ in plan.values()):
            members = RANKS if who in ("two", "apart") else 1
            teams[who] = stack.enter_context(team(who, setting, members, together=who != "apart"))
        todo = alternating(list(plan), options.pairs)
        for number, (turn, kind) in enumerate(todo, start=1):
            who, workload = plan[kind]
            loop = "plain" if who == "plain" else "ours"
            run_id = f"{results.new_run_id('efficiency-')}-{name}-{number}"
            with HostLoad() as host:
                run = teams[who].run(Segment(loop, workload, options.steps, run_id))
            shutil.rmtree(setting.root / "models", ignore_errors=True)
            part["runs"].append({"round": turn, "kind": kind, **run, "host_load": host.record})
            say(f"{name} {number} of {len(todo)}: {kind}, {run['tokens_per_s']:,.0f} tokens/s")


def speed_plan(workload: Workload) -> dict[str, tuple[str, Workload]]:
    """Kind of run -> which team runs what. AdamW separately only if the workload has another optimiser."""
    plan = {"plain": ("plain", workload), "ours": ("ours", workload)}
    if workload.optimiser.kind != "adamw":
        optimiser = workload.optimiser.model_copy(update={"kind": "adamw"})
        plan["ours, adamw"] = ("ours", workload.model_copy(update={"optimiser": optimiser}))
    return plan


def scaling_plan(workload: Workload) -> dict[str, tuple[str, Workload]]:
    """One rank with the batch of a rank, two such trainings apart, two ranks, one with the whole batch."""
    share = workload.training.batch_size // RANKS

    def batch(size: int) -> Workload:
        training = workload.training.model_copy(update={"batch_size": size})
        return workload.model_copy(update={"training": training})

    return {
        "one, share": ("one", batch(share)),
        "apart": ("apart", batch(share)),
        "two": ("two", batch(RANKS * share)),
        "one, whole": ("one", batch(RANKS * share)),
    }


def write(record: dict[str, Any], path: Path, into: Path | None) -> None:
    files.write_json(path, Efficiency.written(record))
    if into and any(record[part]["runs"] for part in PARTS):
        pages.add_outcome(into, record, "efficiency")
