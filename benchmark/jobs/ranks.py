"""The ranks of a job as Ray actors, one in each bundle of a placement group; new starts after a lost node.

An actor (`benchmark.core.actors`) runs the script as a process of its own and hands on what that prints.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark.core import actors, advance, processes
from benchmark.core.actors import ASK_S, Want, reason
from benchmark.core.joblog import say
from benchmark.jobs import environment, process
from benchmark.jobs.environment import STARTS, Place
from benchmark.jobs.keeper import STOP_S
from benchmark.jobs.leaving import Leaving

if TYPE_CHECKING:
    from benchmark.jobs.run import Job

# The name of a job's placement group is this and the job's; `make jobs` looks for it.
GROUP = "aidc-job:"
# When a node dies, the ranks on the others fail first: a script loses its peer at once, Ray learns it later.
LOST_WITHIN_S = 40.0


class Rank:
    """Runs in a Ray actor."""

    packages: Mapping[str, str] = {}

    def place(self) -> tuple[Place, int]:
        """Where it is, and a port that is free there."""
        address = actors.own_address()
        return Place(os.uname().nodename, address, actors.own_gpus()), actors.free_port(address)

    def prepare(self, digest: str) -> str:
        """Provide the packages that the script needs; what went wrong, or nothing."""
        from benchmark.jobs import packages

        try:
            self.packages = packages.variables(packages.provide(digest), os.environ)
        except packages.PackagesError as error:
            return str(error)
        return ""

    def run(self, script: Sequence[str], variables: Mapping[str, str]) -> Iterator[list[str] | int]:
        """What the script prints, by lines, and at last its exit code."""
        import subprocess

        child = process.start(script, {**variables, **self.packages}, subprocess.PIPE)
        assert child.stdout is not None
        with advance.told(variables["AIDC_JOB"], lambda: processes.cpu_seconds(child.pid)):
            yield from process.lines(child.stdout.fileno())
            code = child.wait()
        yield process.exit_code(code)


@dataclass
class Attempt:
    """What became of one start: exit codes by rank, and the ranks that were lost with their node."""

    codes: dict[int, int] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The first one that is not 0."""
        return next((code for code in self.codes.values() if code != 0), 0)


def together(job: Job, run: str | None) -> int:
    """The exit code of the job; a lost node or actor costs a start, a script that fails ends it."""
    actors.connect(forward_output=False)
    for number in range(1, STARTS + 1):
        attempt = _start(job, environment.of_job(job.name, number, run))
        if not attempt.lost:
            return attempt.code
        for rank, why in sorted(attempt.lost.items()):
            say(f"rank {rank} was lost: {why}")
        if number < STARTS:
            say(f"starting all ranks again from the last checkpoint (start {number + 1} of {STARTS})")
    say(f"lost a rank in each of {STARTS} starts")
    return 1


def _start(job: Job, variables: Mapping[str, str]) -> Attempt:
    want = Want(job.ranks, job.cpus, job.gpus, job.memory, job.without, name=f"{GROUP}{job.name}")
    with actors.started(want, Rank, say) as ranks:
        attempt = _follow(job, ranks, variables)
    if len(attempt.codes) < job.ranks:
        # What has not ended is just being asked to, and may write its last checkpoint: no other start reads
        # beside it.
        time.sleep(STOP_S)
    return attempt


def _prepared(job: Job, ranks: Sequence[Any], attempt: Attempt) -> list[tuple[Place, int]]:
    """Where the ranks are, with a free port each; `attempt` gets what stands in the way of a start."""
    import ray
    from ray.exceptions import RayError

    try:
        found = list(ray.get([rank.place.remote() for rank in ranks]))
        wrong = ray.get([rank.prepare.remote(job.packages) for rank in ranks]) if job.packages else []
    except RayError as error:
        attempt.lost[0] = reason(error)
        return []
    for number, why in enumerate(wrong):
        if why:
            say(f"rank {number} on {found[number][0].node}: no packages: {why}")
            attempt.codes[number] = 1
    return found


def _follow(job: Job, ranks: Sequence[Any], variables: Mapping[str, str]) -> Attempt:
    import ray

    attempt = Attempt()
    found = _prepared(job, ranks, attempt)
    if attempt.lost or attempt.codes:
        return attempt
    places, port = [place for place, _ in found], found[0][1]
    for number, place in enumerate(places):
        say(f"rank {number} runs on {place.node}")
    streams = {
        actor.run.options(num_returns="streaming").remote(
            job.script, {**variables, **environment.of_rank(number, places, port, job.cpus)}
        ): number
        for number, actor in enumerate(ranks)
    }
    deadline = None
    leaving = Leaving(job.ranks, time.monotonic())
    while streams:
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=ASK_S)
        for stream in ready:
            rank = streams.pop(stream)
            if _heard(stream, rank, places[rank].node, attempt):
                # At the end again: a rank that prints without a pause does not keep the others waiting.
                streams[stream] = rank
            if rank in attempt.codes:
                leaving.end(rank, time.monotonic())
        if attempt.lost:
            return attempt
        if attempt.code and deadline is None:
            deadline = time.monotonic() + LOST_WITHIN_S
        if deadline and time.monotonic() > deadline:
            waiting = ", ".join(map(str, sorted(streams.values())))
            say(f"rank {waiting} did not end with the others; ended")
            return attempt
        if not deadline and (told := leaving.told(time.monotonic())):
            say(told)
    return attempt


def _heard(stream: Any, rank: int, node: str, attempt: Attempt) -> bool:
    """Hand on what the rank says next, its exit code to `attempt`. False where nothing more will come."""
    import ray
    from ray.exceptions import RayError

    try:
        said = ray.get(next(stream))
    except StopIteration:
        return False
    except RayError as error:
        attempt.lost[rank] = f"{node}: {reason(error)}"
        return False
    if isinstance(said, int):
        attempt.codes[rank] = said
        if said:
            say(f"rank {rank} on {node} {process.ending(said)}")
    else:
        print("\n".join(f"[{rank}] {line}" for line in said), flush=True)
    return True
