"""What a job that runs has itself asked of Ray, and no node has free: it waits for ever. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.core.words import cell
from benchmark.jobs.ranks import GROUP
from operations.jobs import capacity
from operations.jobs.capacity import Node

Row = Mapping[str, Any]
# By kind of Ray's state API: the state in which something has no node yet, and the column with the job's id.
WAITING = {
    "tasks": ("PENDING_NODE_ASSIGNMENT", "job_id"),
    "actors": ("PENDING_CREATION", "job_id"),
    "placement_groups": ("PENDING", "creator_job_id"),
}
# Rows that are asked for: those of a job are much alike.
MOST = 100
NAME_MOST = 80
FIX = "have it ask for less, as num_cpus=0.1 (docs/jobs.md), or give the job's own ranks fewer CPUS"


def waits(rows: Iterable[Row], found: Sequence[Node]) -> str:
    """What one of these tasks, actors and groups waits for that no node has free, or nothing.

    What runs on the nodes as a task counts as free: it ends by itself.
    """
    for row in rows:
        name = str(row.get("name") or row.get("class_name") or "")
        # The driver of several ranks says itself for what they wait; what is in a group has its place.
        if name.startswith(GROUP) or ("bundles" not in row and row.get("placement_group_id")):
            continue
        for asked in _amounts(row):
            if asked and not any(_fits(asked, node) for node in found):
                whose = f" for {cell(name)[:NAME_MOST]}" if name else ""
                return f"{capacity.plain(asked)}{whose}: {capacity.held(found)}\n    fix: {FIX}"
    return ""


def _amounts(row: Row) -> list[dict[str, float]]:
    """What it asks for of one node each."""
    if "bundles" in row:
        return [capacity.kinds(bundle.get("unit_resources")) for bundle in row["bundles"] or ()]
    return [capacity.kinds(row.get("required_resources"))]


def _fits(asked: Mapping[str, float], node: Node) -> bool:
    return all(node.free(kind) >= amount - 1e-9 for kind, amount in asked.items())
