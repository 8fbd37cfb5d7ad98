"""Every service of a stack with its role, container, addresses and ports. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from components.planning.addressing import Segment, address, segments
from components.planning.buckets import Declared
from components.planning.config import StackConfig
from components.planning.flows import (
    FLOWS,
    LISTENS,
    STORE_CHECK,
    STORE_GATEWAY,
    Flow,
    Listen,
    listens_with_outside_store,
    memberships,
    with_outside_store,
)
from components.planning.store_place import StorePlace, place


@dataclass(frozen=True)
class Service:
    """One running container. `addresses` maps a segment's name to the service's IPv4 address in it."""

    name: str
    role: str
    container: str
    addresses: dict[str, str]
    listens: tuple[Listen, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The whole stack on paper."""

    stack: str
    config: StackConfig
    segments: tuple[Segment, ...]
    services: tuple[Service, ...]
    flows: tuple[Flow, ...] = FLOWS

    @property
    def buckets(self) -> tuple[Declared, ...]:
        """Every bucket that the object store has to have."""
        return self.config.object_store.declared()

    @property
    def store(self) -> StorePlace:
        """Where clients within the stack find the object store."""
        return place(self.config.object_store.external)

    def segment(self, name: str) -> Segment:
        return next(s for s in self.segments if s.name == name)

    def by_role(self, role: str) -> tuple[Service, ...]:
        return tuple(s for s in self.services if s.role == role)

    def service(self, name: str) -> Service:
        return next(s for s in self.services if s.name == name)


def make_plan(stack: str, config: StackConfig) -> Plan:
    """All services of `config`; adding a node does not change any other service's name or address."""
    outside = config.object_store.external
    # Only what has a store outside has a way out.
    planned = tuple(s for s in segments(stack, config.network) if outside or s.name != "egress")
    by_name = {s.name: s for s in planned}

    flows = with_outside_store(outside.port) if outside else FLOWS
    listens = listens_with_outside_store(outside.port) if outside else LISTENS

    def service(name: str, role: str, index: int = 0) -> Service:
        places = {m: address(by_name[m], role, index) for m in memberships(role, flows)}
        return Service(name, role, f"aidc-{stack}-{name}", places, listens.get(role, ()))

    nodes = [service(f"object-store-{i + 1}", "object-store", i) for i in range(config.object_store.nodes)]
    own = (*nodes, service("object-store-setup", "object-store-setup"))
    another = (service(STORE_GATEWAY, STORE_GATEWAY), service(STORE_CHECK, STORE_CHECK))

    services = (
        service("firewall", "firewall"),
        service("load-balancer", "load-balancer"),
        service("ray-head", "ray-head"),
        *(service(f"compute-{n.name}", "compute", i) for i, n in enumerate(config.compute.nodes)),
        *(another if outside else own),
        service("database", "database"),
        service("tracking-setup", "tracking-setup"),
        service("tracking", "tracking"),
        service("vault", "vault"),
        service("vault-pruner", "vault-pruner"),
        service("drill", "drill"),
        service("backup", "backup"),
        service("metrics", "metrics"),
        service("logs", "logs"),
        service("home", "home"),
    )
    return Plan(stack, config, planned, services, flows)
