"""What the compute nodes have and what is free, and whether a job fits. Pure.

`nodes` reads it from the lists of Ray's state API: what actors and placement groups hold is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.jobs.ranks import GROUP
from operations.output import size

# What the process that starts several ranks takes of one node.
DRIVER_CPUS = 0.1
# Left to drivers and served models where nobody says how many CPUs a rank gets.
SPARE_CPUS = 0.3
KINDS = ("CPU", "GPU", "memory")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Need:
    """What one rank takes: CPUs, GPUs, bytes."""

    cpus: float
    gpus: int = 0
    memory: int = 0

    def amounts(self) -> dict[str, float]:
        return {"CPU": self.cpus, "GPU": float(self.gpus), "memory": float(self.memory)}

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPUs" if self.cpus != 1 else "1 CPU"]
        parts += [f"{self.gpus} GPU{'s' if self.gpus > 1 else ''}"] if self.gpus else []
        parts += [size(self.memory)] if self.memory else []
        return ", ".join(parts)


@dataclass
class Node:
    """`total` and `used` by kind; `holders`: what each user of it holds, for people."""

    name: str
    total: dict[str, float]
    used: dict[str, float] = field(default_factory=dict)
    holders: list[str] = field(default_factory=list)

    def free(self, kind: str) -> float:
        return max(0.0, self.total.get(kind, 0.0) - self.used.get(kind, 0.0))

    def take(self, amounts: Mapping[str, float], holder: str) -> None:
        """What one actor or bundle holds."""
        held = {kind: amount for kind in KINDS if (amount := float(amounts.get(kind) or 0.0))}
        for kind, amount in held.items():
            self.used[kind] = self.used.get(kind, 0.0) + amount
        if held:
            self.holders.append(f"{holder} {plain(held)}")


def nodes(
    rows: Iterable[Row], actors: Iterable[Row], groups: Iterable[Row], names: Mapping[str, str]
) -> list[Node]:
    """The compute nodes that are there, by name; the head has no CPUs, as it runs no jobs, and is left out.

    `names`: address → name.
    """
    found = {
        str(row["node_id"]): Node(
            names.get(str(row["node_ip"]), str(row["node_ip"])), kinds(row.get("resources_total"))
        )
        for row in rows
        if row.get("state") == "ALIVE" and (row.get("resources_total") or {}).get("CPU")
    }
    for actor in actors:
        node = found.get(str(actor.get("node_id")))
        if node and actor.get("state") == "ALIVE" and not actor.get("placement_group_id"):
            node.take(kinds(actor.get("required_resources")), holder_of(actor))
    for group in groups:
        if group.get("state") != "CREATED":
            continue
        for bundle in group.get("bundles") or ():
            if node := found.get(str(bundle.get("node_id"))):
                node.take(kinds(bundle.get("unit_resources")), owner_of(group))
    return sorted(found.values(), key=lambda node: node.name)


def holder_of(actor: Row) -> str:
    """`job demo`, `serving`, or the actor's class."""
    kind, name = str(actor.get("class_name", "")), str(actor.get("name") or "")
    if kind == "JobSupervisor":
        return f"job {name.removeprefix('_ray_internal_job_actor_')}"
    return "serving" if kind.startswith(("ServeReplica", "ServeController", "Proxy")) else kind or "an actor"


def owner_of(group: Row) -> str:
    """`job demo` for the ranks of a job, or the group's name."""
    name = str(group.get("name") or "a placement group")
    return f"job {name.removeprefix(GROUP)}" if name.startswith(GROUP) else name


def default_cpus(ranks: int, found: Sequence[Node]) -> float:
    """CPUs of one rank where nobody says: at most 1, and so many that all ranks fit beside what serves."""
    if not found:
        return 1.0
    smallest = min(node.total.get("CPU", 0.0) for node in found)
    share = (smallest - SPARE_CPUS) / math.ceil(ranks / len(found))
    return max(0.1, min(1.0, math.floor(share * 10 + 1e-6) / 10))


def places(need: Need, found: Sequence[Node], driver: bool, *, empty: bool) -> int:
    """How many ranks fit: on empty nodes, or beside what runs; a driver goes to the node that suits best."""
    rooms = [_room(need, node, 0.0, empty) for node in found]
    if not driver:
        return sum(rooms)
    least = [_room(need, node, DRIVER_CPUS, empty) for node in found]
    able = [
        sum(rooms) - rooms[i] + least[i]
        for i, node in enumerate(found)
        if (node.total.get("CPU", 0.0) if empty else node.free("CPU")) >= DRIVER_CPUS - 1e-9
    ]
    return max(able, default=0)


def _room(need: Need, node: Node, less: float, empty: bool) -> int:
    ratios = []
    for kind, amount in need.amounts().items():
        if amount:
            has = node.total.get(kind, 0.0) if empty else node.free(kind)
            ratios.append(math.floor((has - (less if kind == "CPU" else 0.0)) / amount + 1e-6))
    return max(0, min(ratios, default=0))


def refusal(ranks: int, need: Need, found: Sequence[Node]) -> str:
    """Why a job can never run on these nodes; empty when it can."""
    if not found:
        return "no compute node is there"
    fit = places(need, found, ranks > 1, empty=True)
    if fit >= ranks:
        return ""
    what = f"{ranks} rank{'s' if ranks > 1 else ''} of {need}"
    room = f"{fit} would fit on the empty nodes" if fit else "not one would fit on an empty node"
    reserve = f"; the process that starts them takes {DRIVER_CPUS:g} CPUs more" if ranks > 1 else ""
    return f"{what} cannot run: {room} ({'; '.join(described(found))}){reserve}"


def waits(ranks: int, need: Need, found: Sequence[Node]) -> str:
    """What a job has to wait for now; empty when it can start."""
    if places(need, found, ranks > 1, empty=False) >= ranks:
        return ""
    times = f"{ranks} × " if ranks > 1 else ""
    return f"{times}{need}: {held(found)}"


def held(found: Sequence[Node]) -> str:
    """What each node has free, and who holds the rest."""
    holders = sorted({f"{holder} on {node.name}" for node in found for holder in node.holders})
    by = f"; held by {', '.join(holders)}" if holders else ""
    return "; ".join(described(found)) + by


def described(found: Sequence[Node]) -> Iterator[str]:
    """`node1: 0.3 of 1 CPUs, 2.1 of 2.6 GiB free`"""
    for node in found:
        parts = [f"{round(node.free('CPU'), 2):g} of {node.total.get('CPU', 0):g} CPUs"]
        if node.total.get("GPU"):
            parts.append(f"{node.free('GPU'):g} of {node.total['GPU']:g} GPUs")
        if node.total.get("memory"):
            parts.append(f"{size(node.free('memory'))} of {size(node.total['memory'])}")
        yield f"{node.name}: {', '.join(parts)} free"


def kinds(amounts: object) -> dict[str, float]:
    """Those that nodes are counted by, of Ray's own list."""
    return {k: float(v) for k, v in amounts.items() if k in KINDS} if isinstance(amounts, Mapping) else {}


def plain(amounts: Mapping[str, float]) -> str:
    """`0.5 CPUs, 1 GPU`"""
    return ", ".join(
        size(amount) if kind == "memory" else f"{amount:g} {kind}{'' if amount == 1 else 's'}"
        for kind, amount in amounts.items()
    )
