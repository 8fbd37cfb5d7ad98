"""The ranks of a job as Ray actors, one in each bundle of a placement group; new starts after a lost node.

An actor runs the script as a process of its own and hands on what that prints. Ray Train would do the same
with helper processes of its own for each job.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark.core import placement
from benchmark.jobs import environment, process
from benchmark.jobs.environment import Place
from benchmark.jobs.process import STOPPED, say

if TYPE_CHECKING:
    from benchmark.jobs.run import Job

STARTS = 4
# The name of a job's placement group is this and the job's; `make jobs` looks for it.
GROUP = "aidc-job:"
# When a node dies, the ranks on the others fail first: a script loses its peer at once, Ray learns it later.
LOST_WITHIN_S = 40.0
LOW_MEMORY = re.compile(r"[\d.]+ ?GB used / [\d.]+ ?GB")
ASK_S = 2.0
REMIND_S = 60.0


class Rank:
    """Runs in a Ray actor."""

    packages: Mapping[str, str] = {}

    def place(self) -> tuple[Place, int]:
        """Where it is, and a port that is free there."""
        import ray

        address = ray.util.get_node_ip_address()
        accelerators = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
        node = os.uname().nodename
        return Place(node, address, tuple(map(str, accelerators))), process.free_port(address)

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
        yield from process.lines(child.stdout.fileno())
        yield process.exit_code(child.wait())


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
    import ray

    ray.init(log_to_driver=False, logging_level="error")
    # In the place of Ray's handler, which writes its own stack into the job's log.
    signal.signal(signal.SIGTERM, _stop)
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


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(STOPPED)


def _start(job: Job, variables: Mapping[str, str]) -> Attempt:
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    wanted = {"CPU": job.cpus, "GPU": float(job.gpus), "memory": float(job.memory)}
    bundle = {name: amount for name, amount in wanted.items() if amount}
    where = placement.selector(job.without)
    group = placement_group(
        [bundle] * job.ranks,
        strategy="SPREAD",
        name=f"{GROUP}{job.name}",
        **({"bundle_label_selector": [where] * job.ranks} if where else {}),
    )
    actors: list[Any] = []
    try:
        _wait(group, job)
        for number in range(job.ranks):
            strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
            kind = ray.remote(
                num_cpus=job.cpus,
                num_gpus=job.gpus,
                memory=job.memory or None,
                scheduling_strategy=strategy,
                max_restarts=0,
            )(Rank)
            actors.append(kind.remote())
        return _follow(job, actors, variables)
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)


def _wait(group: Any, job: Job) -> None:
    """Until the group has its resources; says now and then that it waits, and for what."""
    begun, told = time.monotonic(), 0.0
    while not group.wait(timeout_seconds=ASK_S):
        waited = time.monotonic() - begun
        if told == 0 or waited - told >= REMIND_S:
            told = waited
            gpus = f" and {job.gpus} GPU" if job.gpus else ""
            say(f"waiting for {job.ranks} × {job.cpus:g} CPU{gpus}: {free()}")


def free() -> str:
    """`node1 0.1 of 1 CPU free; …`"""
    import ray

    left = ray._private.state.available_resources_per_node()
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU")]
    parts = []
    for node in sorted(nodes, key=lambda n: str(n["NodeManagerHostname"])):
        has, total = left.get(node["NodeID"], {}), node["Resources"]
        gpus = f", {has.get('GPU', 0):g} of {total['GPU']:g} GPUs" if total.get("GPU") else ""
        name = node["NodeManagerHostname"]
        parts.append(f"{name} has {has.get('CPU', 0):g} of {total['CPU']:g} CPUs{gpus} free")
    return "; ".join(parts) or "no node is there"


def _prepared(job: Job, actors: Sequence[Any], attempt: Attempt) -> list[tuple[Place, int]]:
    """Where the ranks are, with a free port each; `attempt` gets what stands in the way of a start."""
    import ray
    from ray.exceptions import RayError

    try:
        found = list(ray.get([actor.place.remote() for actor in actors]))
        wrong = ray.get([actor.prepare.remote(job.packages) for actor in actors]) if job.packages else []
    except RayError as error:
        attempt.lost[0] = reason(error)
        return []
    for number, why in enumerate(wrong):
        if why:
            say(f"rank {number} on {found[number][0].node}: no packages: {why}")
            attempt.codes[number] = 1
    return found


def _follow(job: Job, actors: Sequence[Any], variables: Mapping[str, str]) -> Attempt:
    import ray
    from ray.exceptions import RayError

    attempt = Attempt()
    found = _prepared(job, actors, attempt)
    if attempt.lost or attempt.codes:
        return attempt
    places, port = [place for place, _ in found], found[0][1]
    for number, place in enumerate(places):
        say(f"rank {number} runs on {place.node}")
    streams = {
        actor.run.options(num_returns="streaming").remote(
            job.script, {**variables, **environment.of_rank(number, places, port, job.cpus)}
        ): number
        for number, actor in enumerate(actors)
    }
    deadline = None
    while streams:
        ready, _ = ray.wait(list(streams), num_returns=1, timeout=ASK_S)
        for stream in ready:
            rank = streams[stream]
            try:
                said = ray.get(next(stream))
            except StopIteration:
                del streams[stream]
                continue
            except RayError as error:
                del streams[stream]
                attempt.lost[rank] = f"{places[rank].node}: {reason(error)}"
                continue
            if isinstance(said, int):
                attempt.codes[rank] = said
                if said:
                    say(f"rank {rank} on {places[rank].node} {process.ending(said)}")
            else:
                print("\n".join(f"[{rank}] {line}" for line in said), flush=True)
        if attempt.lost:
            return attempt
        if attempt.code and deadline is None:
            deadline = time.monotonic() + LOST_WITHIN_S
        if deadline and time.monotonic() > deadline:
            waiting = ", ".join(map(str, sorted(streams.values())))
            say(f"rank {waiting} did not end with the others; ended")
            return attempt
    return attempt


def reason(error: Exception) -> str:
    """In words where Ray's own are about its processes; else the first line of what it says."""
    name = type(error).__name__
    if name in ("ActorUnavailableError", "ActorDiedError", "NodeDiedError"):
        low = LOW_MEMORY.search(str(error))
        return f"its node ran out of memory ({low[0]})" if low else "its node or its process is gone"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), name)[:300]
