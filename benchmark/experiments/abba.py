"""`python -m benchmark abba BASELINE [CANDIDATE]`: is one commit slower or worse than another?

Both are trained on this host, in turns: baseline, candidate, candidate, baseline, and so on, so
that a drift of the machine's speed affects both. Each round has its own seed, the same for
both. The measurements of each side become a result (`baseline.json`, `candidate.json`), and the gate
judges the two as it judges any two results, by pairs of the same workload and seed.

Each commit is checked out into a temporary folder and runs its own code and workload files with this
interpreter, so differences in installed packages are not compared. Both take this interpreter's standard
library as data, whether or not it is the frozen one. Without CANDIDATE the working tree is the candidate,
including uncommitted changes in tracked files.

Exit codes: 0 not worse, or inconclusive; 1 worse, or a run failed; 2 bad input or not comparable;
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmark.analysis import comparable, gate
from benchmark.analysis import result as results
from benchmark.cluster import children
from benchmark.console import say
from benchmark.core.config import load_all
from benchmark.core.errors import BenchmarkError, ComparisonError, ConfigError, TrainingError
from benchmark.core.stats import LEAST_PAIRS, alternating
from benchmark.experiments.jobs import throughput_text
from benchmark.experiments.options import add_pairs, add_workloads, at_least
from benchmark.report import comparison

SIDES = ("baseline", "candidate")
CHECK_OUT_S = 600
RUN_S = 3600  # a run that takes longer hangs
Result = dict[str, Any]


@dataclass(frozen=True)
class Options:
    baseline: str
    candidate: str | None
    tier: str
    workload_files: list[Path]  # in the working tree; each commit uses its own file of that name
    out: Path
    pairs: int = LEAST_PAIRS
    world_size: int = 1
    threads: int = 1
    root: Path = Path()


@dataclass(frozen=True)
class Side:
    """One commit, checked out at `folder`."""

    name: str
    commit: str
    folder: Path
    files: list[Path]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_workloads(parser)
    parser.add_argument("baseline", help="a commit, tag or branch")
    parser.add_argument("candidate", nargs="?", help="another (default: the working tree, with its changes)")
    add_pairs(parser)
    parser.add_argument("--world-size", type=at_least(1), default=1, help="ranks (default: 1)")
    parser.add_argument("--threads", type=at_least(1), default=1, help="threads per rank (default: 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/abba"), help="folder of both results (default: out/abba)"
    )


def main(options: Options) -> int:
    try:
        commits = resolve(options)
        with tempfile.TemporaryDirectory(prefix="abba-") as folder:
            sides = [check_out(options, name, commit, Path(folder, name)) for name, commit in commits.items()]
            return judge(measure(options, sides, Path(folder)), options)
    except KeyboardInterrupt:  # also of the run in progress
        say("interrupted; what was measured until then is kept")
        return 130


def resolve(options: Options) -> dict[str, str]:
    """Side → commit; ConfigError names every revision that does not exist."""
    commits, problems = {}, []
    wanted = {"baseline": options.baseline, "candidate": options.candidate}
    for name, revision in wanted.items():
        # A commit of the working tree outside any branch; git prints nothing if nothing has changed.
        commit = results.run_git("stash", "create", root=options.root) if revision is None else None
        commit = commit or results.run_git(
            "rev-parse", "--verify", "--quiet", f"{revision or 'HEAD'}^{{commit}}", root=options.root
        )
        if commit:
            commits[name] = commit
        else:
            problems.append(
                f"{name}: {revision or 'HEAD'!r}: no such commit in this repository; see `git log`"
            )
    if problems:
        raise ConfigError(problems)
    return commits


def check_out(options: Options, name: str, commit: str, folder: Path) -> Side:
    """A clone that shares the repository's objects, and leaves nothing behind in the repository."""
    root = results.run_git("rev-parse", "--show-toplevel", root=options.root) or "."
    for arguments in (("clone", "--quiet", "--shared", "--no-checkout", root, str(folder)),
                      ("-C", str(folder), "checkout", "--quiet", "--detach", commit)):  # fmt: skip
        if results.run_git(*arguments, root=options.root, timeout_s=CHECK_OUT_S) is None:
            raise BenchmarkError(f"{name}: commit {commit[:10]} cannot be checked out into {folder}")
    files = []
    for file in options.workload_files:
        inside = Path(os.path.relpath(file.resolve(), Path(root).resolve()))
        files.append(file.resolve() if inside.parts[0] == ".." else folder / inside)
    return Side(name, commit, folder, files)


def measure(options: Options, sides: Sequence[Side], folder: Path) -> dict[str, Result]:
    """Side → its result. Both results are written after every run."""
    measured, workloads = {}, {side.name: load_all(side.files, options.tier) for side in sides}
    for side in sides:
        measured[side.name] = results.new("abba", options.tier, f"{results.new_run_id('abba-')}-{side.name}")
        measured[side.name]["configuration"]["workloads"] = {
            w.name: {**w.model_dump(mode="json"), "seeds": list(range(1, options.pairs + 1))}
            for w in workloads[side.name]
        }
        measured[side.name]["environment"].update(results.git(side.folder), git_commit=side.commit)
        measured[side.name]["turns"] = {"rounds": options.pairs}
    candidate = measured["candidate"]
    if problems := comparable.planned_differences(
        measured["baseline"], candidate["tier"], candidate["configuration"]["workloads"]
    ):
        raise ComparisonError(problems)
    todo = alternating(sides, options.pairs)
    for number, (turn, side) in enumerate(todo, start=1):
        try:
            turn_result = train(options, side, turn + 1, folder / "runs" / f"{number}")
        except TrainingError as error:
            results.add_error(measured[side.name], f"round {turn + 1}", str(error))
            say(f"{number} of {len(todo)}: {side.name}: {error}")
        else:
            merge(measured[side.name], turn_result)
            speed = throughput_text(turn_result["bare"])
            say(f"{number} of {len(todo)}: {side.name}, seed {turn + 1}: {speed}")
        for name, result in measured.items():
            result["complete"] = number == len(todo) and not result["errors"]
            result["finished"] = results.now()
            results.save(result, options.out / f"{name}.json")
    return measured


def train(options: Options, side: Side, seed: int, folder: Path) -> Result:
    """One run of the side's own code with one seed; TrainingError if it produces none."""
    folder.mkdir(parents=True)
    names = [seeded(file, options.tier, seed, folder) for file in side.files]
    data = side.folder / "bare-data"
    # By its former name: the commit may not know `host-baseline` yet.
    command = [sys.executable, "-m", "benchmark", "bare", "--no-stack", "--stack", "abba",
               "--tier", options.tier, "--workloads", ",".join(map(str, names)), "--out", str(data),
               "--world-size", str(options.world_size), "--threads", str(options.threads),
               "--unfrozen-data"]  # fmt: skip
    (data / "result.json").unlink(missing_ok=True)  # otherwise the run would be added to it
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    failed = f"commit {side.commit[:10]}"
    try:
        done = children.run(command, cwd=side.folder, env=environment, timeout_s=RUN_S)
    except subprocess.TimeoutExpired as error:
        raise TrainingError(f"{failed}: not finished after {RUN_S} s") from error
    try:
        result = results.load(data / "result.json")
    except BenchmarkError as error:
        if (data / "result.json").exists():  # one that this version cannot read
            raise TrainingError(f"{failed}: {error}") from error
        last = "\n".join(done.stderr.splitlines()[-6:])
        raise TrainingError(f"{failed}: left no result: {last or error}") from error
    if done.returncode or not result["bare"]:
        reasons = [f"{e['where']}: {e['message'].splitlines()[0]}" for e in result["errors"]]
        raise TrainingError(f"{failed}: {'; '.join(reasons) or f'exit {done.returncode}'}")
    return result


def seeded(file: Path, tier: str, seed: int, folder: Path) -> Path:
    """A copy of the workload file in `folder`, with this seed alone at `tier`."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["tiers"][tier] = {**(content["tiers"][tier] or {}), "seeds": [seed]}
    path = folder / file.name
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def merge(result: Result, turn_result: Result) -> None:
    """Add the runs of one turn to the side's result."""
    result["training"] += turn_result["bare"]
    result["data"] = turn_result["data"]
    result["environment"]["host"] = turn_result["environment"]["host"]


def judge(measured: dict[str, Result], options: Options) -> int:
    """Print the gate's rows and write `comparison.html`; the exit code."""
    baseline, candidate = (measured[name] for name in SIDES)
    for name in SIDES:
        for error in measured[name]["errors"]:
            say(f"       error  {name}, {error['where']}: {error['message'].splitlines()[0]}")
    if baseline["errors"] or candidate["errors"]:
        say(f"not compared, because a run failed; the measurements are in {options.out}")
        return 1
    rows = gate.compare(baseline, candidate)
    for line in gate.lines(rows):
        print(line)
    print(comparison.write(baseline, candidate, options.out / "comparison.html"))
    return 1 if rows["verdict"] == "fail" else 0
