"""The exported inventory: what a stack consists of, for tests, benchmark and report. Imports no pulumi.

Fixed interface `aidc.inventory/1`; it holds no secrets.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from components.planning.buckets import Declared


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SegmentEntry(_Entry):
    """One network."""

    name: str
    network: str
    subnet: str
    internal: bool


class ListenEntry(_Entry):
    """Ports `port` to `port_end` inclusive; on the address in `segment` alone, or on each.

    `at_times`: nothing may listen there for now.
    """

    port: int
    port_end: int
    protocol: str
    purpose: str
    segment: str | None = None
    at_times: bool = False


class ServiceEntry(_Entry):
    """One container. `addresses` maps a segment's name to an IPv4 address."""

    name: str
    role: str
    container: str
    image: str
    addresses: dict[str, str]
    listens: list[ListenEntry]


class FlowEntry(_Entry):
    """One permission between roles; `clients` is the outside."""

    source: str
    destination: str
    port: int
    port_end: int
    protocol: str
    segment: str
    why: str


class Inventory(_Entry):
    """A whole stack. `buckets`: those that the object store has to have."""

    schema_: Literal["aidc.inventory/1"] = Field(alias="schema")
    stack: str
    segments: list[SegmentEntry]
    services: list[ServiceEntry]
    flows: list[FlowEntry]
    endpoints: dict[str, str | None]
    # A stack that was brought up by an older program exported none.
    buckets: list[Declared] = []

    def by_role(self, role: str) -> list[ServiceEntry]:
        return [s for s in self.services if s.role == role]


def load(raw: dict[str, object]) -> Inventory:
    """Check the stack output `inventory`. Raises pydantic.ValidationError when its structure is wrong."""
    return Inventory.model_validate(raw)
