"""A Ray job's driver: one DDP rank on each compute node, each a Ray actor.

`python -m benchmark.training.ray_train results/<run>/<workload>/spec.json [STORE]` reads the job's spec
from the object store (`s3://` unless another is named). A worker that dies restarts all ranks;
they resume from the last checkpoint and skip the seeds that have a result.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.core import actors, joblog
from benchmark.core.actors import NoRoomError, Want
from benchmark.core.documents import get_json
from benchmark.core.errors import BenchmarkError
from benchmark.core.placement import LABEL
from benchmark.core.store import Store, open_store
from benchmark.training.job import has_failed, say
from benchmark.training.ray_rank import TrainingRank
from benchmark.training.spec import Spec, read_spec

MAX_FAILURES = 2
# A start waits a minute for the nodes that it needs: a node may take that long to come back.
MAX_STARTS = 5
ROOM_S = 60.0
# When a rank fails, the others lose it at once and end by themselves, or hang in a collective for minutes.
GRACE_S = 5.0
KEPT = 1000  # characters of both ends of Ray's own text
CPU_SHARE = 0.7  # of the smallest node: the driver and a serving replica live there too


class StartError(Exception):
    """The ranks have not come as far as to train."""


def reason(text: str, names: Mapping[str, str]) -> str:
    """What ended the training, from Ray's text; `names`: the host of each address."""
    low = actors.low_memory(text)
    if low:
        address = low["address"] or ""
        return (
            f"out of memory on {names.get(address, address)}: {low['used']} of {low['limit']} were in use, "
            "and Ray killed what it runs there. Give the node more in compute.nodes[].memory (one that is "
            "alone also holds the job's driver and all replicas), or lower training.batch_size"
        )
    return text if len(text) <= 2 * KEPT else f"{text[:KEPT]}\n…\n{text[-KEPT:]}"


def told(failed: Mapping[int, Exception], places: Sequence[str], names: Mapping[str, str]) -> str:
    """Why the ranks have failed: of those that are gone, or else what each has raised.

    What is raised where another rank is gone is a consequence. `places`: the host of each rank.
    """
    for error in failed.values():
        if actors.low_memory(str(error)):
            return reason(str(error), names)
    lost = {number: actors.reason(error) for number, error in failed.items() if actors.is_lost(error)}
    causes = lost or {number: reason(str(error), names) for number, error in failed.items()}
    return "\n".join(f"rank {number} on {places[number]}: {why}" for number, why in sorted(causes.items()))


def want_of(spec: Spec, nodes: Sequence[Mapping[str, float]]) -> Want:
    """What the ranks ask for; `nodes`: the resources of each node that may get some."""
    cpus = round(CPU_SHARE * min((n["CPU"] for n in nodes), default=1), 2)
    return Want(
        spec.world_size,
        cpus,
        gpus=int(spec.workload.training.device == "cuda"),
        without=spec.without,
        strategy="STRICT_SPREAD" if spec.world_size <= len(nodes) else "SPREAD",
    )


def together(spec: Spec, want: Want) -> str:
    """Train on all ranks, again after a loss; what has ended the training, or nothing."""
    failures = starts = 0
    while True:
        try:
            problem = _start(spec, want)
            failures += bool(problem)
        except StartError as error:
            problem = str(error)
            starts += 1
        if not problem or failures > MAX_FAILURES or starts > MAX_STARTS:
            return problem
        joblog.say(problem)
        joblog.say("starting all ranks again from the last checkpoint")


def _start(spec: Spec, want: Want) -> str:
    """One start; why it has failed, or nothing. Raises StartError before the ranks have begun."""
    import ray
    from ray.exceptions import RayError

    try:
        with actors.started(want, TrainingRank, joblog.say, ROOM_S) as ranks:
            try:
                places = ray.get([rank.place.remote() for rank in ranks])
            except RayError as error:
                raise StartError(f"a rank has not started: {actors.reason(error)}") from error
            _, address, port = places[0]
            config = spec.model_dump(mode="json")
            calls = {rank.train.remote(config, n, address, port): n for n, rank in enumerate(ranks)}
            failed = actors.failures(calls, GRACE_S)
            return told(failed, [place[0] for place in places], _names()) if failed else ""
    except NoRoomError as error:
        raise StartError(str(error)) from error


def _names() -> dict[str, str]:
    import ray

    return {n["NodeManagerAddress"]: n["NodeManagerHostname"] for n in ray.nodes()}


def main(arguments: list[str]) -> int:
    import ray

    try:
        store = open_store(arguments[1] if len(arguments) > 1 else "s3://")
        spec = read_spec(get_json(store, arguments[0]), arguments[0])
    except BenchmarkError as error:
        say("error", {"type": type(error).__name__, "message": str(error)})
        return 1
    actors.connect(forward_output=True)
    nodes = [
        n["Resources"]
        for n in ray.nodes()
        if n["Alive"] and n["Resources"].get("CPU", 0) > 0 and n["Labels"].get(LABEL) not in spec.without
    ]
    want = want_of(spec, nodes)
    if want.gpus and sum(n.get("GPU", 0) for n in nodes) < spec.world_size:
        return _refused(
            spec,
            "DeviceError",
            f"training.device: cuda: {spec.world_size} GPUs are asked for, the cluster has fewer",
        )
    try:
        problem = together(spec, want)
    except Exception as error:  # of Ray itself, when the head does not come back
        problem = reason(str(error), {})
    if problem:
        return _refused(spec, "TrainingError", problem)
    return _outcome(spec, store)


def _refused(spec: Spec, kind: str, message: str) -> int:
    say("error", {"type": kind, "workload": spec.workload.name, "message": message})
    return 1


def _outcome(spec: Spec, store: Store) -> int:
    """The exit code after all ranks have ended by themselves."""
    try:
        if not has_failed(spec, store):
            return 0
        # Rank 0 has said it, too: its line may come too late for the job's log.
        left: dict[str, Any] = get_json(store, f"{spec.prefix}/error.json")
        say("error", left)
    except BenchmarkError as error:
        say("error", {"type": type(error).__name__, "message": str(error)})
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
