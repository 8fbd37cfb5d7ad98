"""The verdict on each compute node, as models: what `make node` writes to nodes.json, and status shows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operations.documents import Entry

Check = Literal["answer", "disk", "memory", "clock", "thermal", "gpu", "speed"]


class NodeFault(Entry):
    """One check that a node did not pass."""

    check: Check
    found: str
    fix: str


class NodeVerdict(Entry):
    """The newest verdict on one compute node. One that is `fail` gets no ranks."""

    node: str
    verdict: Literal["pass", "fail", "waived"]
    at: str = Field(description="RFC 3339.")
    faults: list[NodeFault] = Field(description="Empty where it passes.")
    not_checked: dict[Check, str] = Field(description="Check to the reason why it was left out.")
    speed: dict[str, float] = Field(description="Processor or GPU to GFLOP/s of the matrix product.")
    waiver: str | None = Field(description="The reason that was given; null without a waiver.")


class NodeRecord(NodeVerdict):
    """With what the next verdict compares."""

    waived_checks: list[Check] = Field(default=[], description="Faults that the waiver covers.")
    history: dict[str, list[float]] = Field(description="Speeds of earlier passes, oldest first.")


class Nodes(Entry):
    """What `make node` writes to nodes.json."""

    schema_: Literal["aidc.nodes/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="RFC 3339.")
    nodes: list[NodeRecord]
