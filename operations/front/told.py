"""What a workstation tells the front door, since the stack itself does not know it: a document. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeVar

from pydantic import Field

from operations.documents import Entry
from operations.nodes_document import NodeVerdict
from operations.status_document import Job, LastAudit, LastBenchmark

Result = TypeVar("Result", LastAudit, LastBenchmark)
# Bytes of a document at most.
MOST = 1 << 19


class Told(Entry):
    """What a clone knows of its own runs. A part that is null or empty is not known there."""

    schema_: Literal["aidc.told/1"] = Field(default="aidc.told/1", alias="schema")
    last_audit: LastAudit | None = None
    last_benchmark: LastBenchmark | None = None
    nodes: list[NodeVerdict] = Field(default=[])
    jobs: list[Job] | None = None
    jobs_at: str | None = Field(default=None, description="When Ray was asked for them, RFC 3339.")


def newer(old: Told, new: Told) -> Told:
    """Both together: of two audits, benchmarks or verdicts on a node the later one; jobs as told last."""
    nodes = {node.node: node for node in old.nodes}
    for node in new.nodes:
        if node.node not in nodes or datetime.fromisoformat(nodes[node.node].at) <= datetime.fromisoformat(
            node.at
        ):
            nodes[node.node] = node
    return Told(
        last_audit=_later(old.last_audit, new.last_audit),
        last_benchmark=_later(old.last_benchmark, new.last_benchmark),
        nodes=[nodes[name] for name in sorted(nodes)],
        jobs=old.jobs if new.jobs is None else new.jobs,
        jobs_at=old.jobs_at if new.jobs is None else new.jobs_at,
    )


def _later(old: Result | None, new: Result | None) -> Result | None:
    if old is None or new is None:
        return new or old
    return max(old, new, key=lambda one: datetime.fromisoformat(one.at))
