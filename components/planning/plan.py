"""Every service of a stack with its role, container, addresses and ports. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from components.planning import receivers
from components.planning.addressing import Segment, address, segments
from components.planning.buckets import Declared
from components.planning.config import StackConfig
from components.planning.flows import (
    ALERT_GATEWAY,
    ALERTS,
    FLOWS,
    LISTENS,
    STORE_CHECK,
    STORE_GATEWAY,
    Flow,
    Listen,
    listens_with_outside_store,
    listens_with_receivers,
    memberships,
    with_outside_store,
    with_receivers,
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
    told = receivers.ports(config.monitoring.alerts)
    # Only what has a store outside, or a receiver of alerts, has a way out.
    planned = tuple(s for s in segments(stack, config.network) if outside or told or s.name != "egress")
    by_name = {s.name: s for s in planned}

    flows = with_outside_store(outside.port) if outside else FLOWS
    listens = listens_with_outside_store(outside.port) if outside else LISTENS
    if told:
        flows, listens = with_receivers(flows, told), listens_with_receivers(listens, told)

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
        service(ALERTS, ALERTS),
        *((service(ALERT_GATEWAY, ALERT_GATEWAY),) if told else ()),
        service("home", "home"),
    )
    return Plan(stack, config, planned, services, flows)
