"""Short training runs, one at a time, in processes that persist: for comparisons in alternation.

A new process needs seconds to load PyTorch alone, so each kind of run has its own processes (one per
rank), which sleep until their turn. Ours and the plain loop never share a process: the effects of one
on the allocator must not help the other.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from benchmark.core import memory
from benchmark.core.config import GptConfig, Workload
from benchmark.core.errors import BenchmarkError, TrainingError
from benchmark.core.events import EventLog
from benchmark.core.ranks import BACKENDS, RankContext, leave, require
from benchmark.core.store import DirectoryStore
from benchmark.core.timing import EVERY, warmup_of
from benchmark.experiments import plain_loop
from benchmark.training.train import train

BYTES = "train.bin"
SEGMENT_S = 900  # these runs take seconds; one that takes longer hangs


@dataclass(frozen=True)
class Segment:
    """One short run: `loop` is "plain" or "ours"; everything else is in the workload."""

    loop: str
    workload: Workload
    steps: int
    run_id: str


@dataclass(frozen=True)
class Setting:
    """What all runs of a comparison share. `root` is a DirectoryStore with the data and BYTES."""

    root: Path
    manifest: dict[str, Any]
    threads: int
    seed: int = 1
    device: str = "cpu"  # or "cuda": each rank, and each independent copy, has a GPU of its own


def shortened(workload: Workload, steps: int) -> Workload:
    """The workload over warm-up and `steps`, evaluated once on one window, without a checkpoint."""
    assert isinstance(workload.model, GptConfig)
    total = steps + warmup_of(max(20, steps), EVERY[workload.training.device])
    fields = {
        "steps": total,
        "evaluate_every": total,
        "checkpoint_every": total + 1,
        "heldout_bytes": workload.model.context,
    }
    return workload.model_copy(update={"training": workload.training.model_copy(update=fields)})


def run(segment: Segment, setting: Setting, ranks: RankContext) -> dict[str, Any]:
    """Train on this rank; tokens/s over the steps after warm-up, and the time of each."""
    workload = shortened(segment.workload, segment.steps)
    started = time.time()
    if segment.loop == "plain":
        record = plain_loop.train(workload, setting.seed, setting.root / BYTES, ranks)
    else:
        record = train(
            workload=workload, seed=setting.seed, manifest=setting.manifest, ranks=ranks,
            store=DirectoryStore(setting.root), run_id=segment.run_id, events=EventLog(),
            progress=lambda value: None,
        )  # fmt: skip
    times = record["step_times_s"]
    assert isinstance(workload.model, GptConfig)
    tokens = workload.training.batch_size * workload.model.context * len(times)
    kept = (
        "accelerator_utilisation",
        "compute_share",
        "gemm_peak_fraction",
        "breakdown_s",
        "compiling",
        "precision",
    )
    return {
        "loop": segment.loop,
        "optimiser": "adamw" if segment.loop == "plain" else workload.optimiser.kind,
        "world_size": ranks.world_size,
        "batch_size": workload.training.batch_size,
        "started": round(started, 3),
        "load_1m": round(os.getloadavg()[0], 2),
        "tokens_per_s": round(tokens / sum(times), 1),
        "step_median_s": round(statistics.median(times), 6),
        "step_times_s": [round(t, 6) for t in times],
        "first_loss": round(record["losses"][0]["loss"], 5),
        **{name: record[name] for name in kept if name in record},
    }


@dataclass(frozen=True)
class Member:
    """The `number`th process of a team; `ranks`: of the training that it takes part in."""

    team: str
    number: int
    ranks: int


class Team:
    """The processes of one kind of run: the ranks of one training, or as many independent copies."""

    def __init__(self, name: str, setting: Setting, members: int = 1, together: bool = True) -> None:
        self.name, self.together = name, together
        context = multiprocessing.get_context("spawn")
        self.processes, self.lines = [], []
        for member in range(members):
            ours, theirs = context.Pipe()
            rank = Member(name, member, members if together else 1)
            process = context.Process(target=_serve, args=(theirs, rank, setting), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.lines.append(ours)

    def run(self, segment: Segment) -> dict[str, Any]:
        """The first member's record of a segment, with the tokens/s of all; BenchmarkError if any fails."""
        for member, line in enumerate(self.lines):
            line.send(replace(segment, run_id=f"{segment.run_id}-{0 if self.together else member}"))
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(self.lines):
            waiting = [line for i, line in enumerate(self.lines) if i not in answers]
            ready = wait(waiting, SEGMENT_S)
            if not ready:
                raise TrainingError(f"{self.name}: no answer from a rank after {SEGMENT_S} s")
            for line in [line for line in waiting if line in ready]:
                try:
                    answer = line.recv()
                except EOFError:
                    raise TrainingError(f"{self.name}: the process of a rank ended") from None
                if isinstance(answer, str):
                    raise TrainingError(f"{self.name}: {answer}")
                answers[self.lines.index(line)] = answer
        if self.together:
            return answers[0]
        summed = {k: sum(answer[k] for answer in answers.values()) for k in ("tokens_per_s", "batch_size")}
        return {**answers[0], **summed, "copies": len(answers)}

    def close(self) -> None:
        for line in self.lines:
            line.close()  # an idle rank exits by itself, a busy or hanging one does not
        for process in self.processes:
            process.join(2)
            process.kill()
            process.join()


@contextmanager
def team(name: str, setting: Setting, members: int = 1, together: bool = True) -> Iterator[Team]:
    started = Team(name, setting, members, together)
    try:
        yield started
    finally:
        started.close()


def _serve(line: Connection, member: Member, setting: Setting) -> None:
    """Answers each segment with its record, or with an error message."""
    torch.set_num_threads(setting.threads)
    if member.team != "plain":
        memory.keep_freed()
    rank = member.number if member.ranks > 1 else 0
    ranks = RankContext(rank, member.ranks, require(setting.device, member.number), launcher="spawn")
    if ranks.world_size > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        meeting = f"file://{setting.root.absolute()}/meet-{member.team}"
        torch.distributed.init_process_group(
            BACKENDS[ranks.kind], init_method=meeting, rank=rank, world_size=ranks.world_size
        )
    try:
        while True:
            line.send(_answer(line.recv(), setting, ranks))
    except (EOFError, OSError, KeyboardInterrupt):
        leave()  # the other side has closed


def _answer(segment: Segment, setting: Setting, ranks: RankContext) -> dict[str, Any] | str:
    try:
        return run(segment, setting, ranks)
    except BenchmarkError as error:
        return str(error)
    finally:
        if ranks.kind == "cuda":
            torch.cuda.empty_cache()  # the process of the other loop needs the memory
