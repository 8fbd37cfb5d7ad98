"""Ranks as Ray actors, one in each bundle of a placement group: for a user's job and for the benchmark.

Ray Train would do the same with helper processes of its own for each job, which take time from the ranks.
"""

# ruff: noqa: PLC0415  (Ray exists in the stack only)
from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmark.core import placement

STOPPED = 128 + signal.SIGTERM
ASK_S = 2.0
REMIND_S = 60.0
LOW_MEMORY = re.compile(
    r"(?:\(IP: (?P<address>[^,)]+).*? was )?(?P<used>[\d.]+ ?GB) used / (?P<limit>[\d.]+ ?GB)"
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Want:
    """`cpus`, `gpus` and `memory` (bytes) are those of one rank. `without`: nodes that get none.

    `name`: of the placement group.
    """

    ranks: int
    cpus: float
    gpus: int = 0
    memory: int = 0
    without: tuple[str, ...] = ()
    strategy: str = "SPREAD"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.ranks} × {self.cpus:g} CPU{f' and {self.gpus} GPU' if self.gpus else ''}"

    def bundle(self) -> dict[str, float]:
        amounts = {"CPU": self.cpus, "GPU": float(self.gpus), "memory": float(self.memory)}
        return {name: amount for name, amount in amounts.items() if amount}


class NoRoomError(Exception):
    """The nodes have not had room for all ranks within the time that was given."""


def connect(*, forward_output: bool) -> None:
    """Join the cluster. Whoever stops the job ends it by SystemExit, so that nothing of it stays behind."""
    import ray

    quiet: dict[str, Any] = {} if forward_output else {"logging_level": "error"}
    ray.init(log_to_driver=forward_output, **quiet)
    # In the place of Ray's handler, which writes its own stack into the job's log.
    signal.signal(signal.SIGTERM, _stop)


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(STOPPED)


@contextmanager
def started(want: Want, kind: type, say: Say, limit_s: float | None = None) -> Iterator[list[Any]]:
    """An actor of class `kind` for each rank; all are killed in the end, and the group goes.

    Raises NoRoomError where there is no room for them within `limit_s`.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    where = placement.selector(want.without)
    group = placement_group(
        [want.bundle()] * want.ranks,
        strategy=want.strategy,
        name=want.name,
        **({"bundle_label_selector": [where] * want.ranks} if where else {}),
    )
    actors: list[Any] = []
    try:
        _wait(group, want, say, limit_s)
        for number in range(want.ranks):
            remote = ray.remote(
                num_cpus=want.cpus,
                num_gpus=want.gpus,
                memory=want.memory or None,
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    group, placement_group_bundle_index=number
                ),
                max_restarts=0,
            )(kind)
            actors.append(remote.remote())
        yield actors
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)


def _wait(group: Any, want: Want, say: Say, limit_s: float | None) -> None:
    """Until the group has its resources; says now and then that it waits, and for what."""
    begun, told = time.monotonic(), 0.0
    while not group.wait(timeout_seconds=ASK_S):
        waited = time.monotonic() - begun
        if limit_s is not None and waited >= limit_s:
            raise NoRoomError(f"no room for {want} within {limit_s:.0f} s: {free()}")
        if told == 0 or waited - told >= REMIND_S:
            told = waited
            say(f"waiting for {want}: {free()}")


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


def failures(calls: Mapping[Any, int], grace_s: float) -> dict[int, Exception]:
    """Wait for `calls`, each of a rank; what each rank that failed raised.

    When one has failed, the others get `grace_s` to end as well: their collectives may hang for minutes.
    """
    import ray
    from ray.exceptions import RayError

    left, found = dict(calls), dict[int, Exception]()
    deadline: float | None = None
    while left:
        rest = ASK_S if deadline is None else max(0.0, min(ASK_S, deadline - time.monotonic()))
        ready, _ = ray.wait(list(left), num_returns=1, timeout=rest)
        for call in ready:
            rank = left.pop(call)
            try:
                ray.get(call)
            except RayError as error:
                found[rank] = error
        if found and deadline is None:
            deadline = time.monotonic() + grace_s
        if not ready and deadline is not None and time.monotonic() >= deadline:
            break
    return found


def low_memory(text: str) -> re.Match[str] | None:
    """The address of the node (None where it is not told), what was used, and the limit, from Ray's words."""
    return LOW_MEMORY.search(text)


def is_lost(error: Exception) -> bool:
    """Whether the rank is gone, with its process or its node, instead of having failed by itself."""
    return type(error).__name__ in ("ActorUnavailableError", "ActorDiedError", "NodeDiedError")


def reason(error: Exception) -> str:
    """In words where Ray's own are about its processes; else the first line of what it says."""
    if is_lost(error):
        low = low_memory(str(error))
        if low:
            return f"its node ran out of memory ({low['used']} used / {low['limit']})"
        return "its node or its process is gone"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[
        :300
    ]


def own_address() -> str:
    """Of the node on which this actor runs, on the fabric."""
    import ray

    return str(ray.util.get_node_ip_address())


def own_gpus() -> tuple[str, ...]:
    """The GPUs that Ray gave this actor, by index or UUID."""
    import ray

    return tuple(map(str, ray.get_runtime_context().get_accelerator_ids().get("GPU", [])))


def free_port(address: str) -> int:
    """One of the ephemeral ports, which are those that the nodes may reach each other on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
