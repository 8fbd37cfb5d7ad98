"""Which probes show that the declared flows connect and that nothing else does. Pure.

From every place that can send to every place that could be reached: all services with each other (also two of
one role), the host, another host, the link-local metadata address, the internet, and IPv6.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

from audit.records import Expected, Protocol
from components.planning.inventory import FlowEntry, Inventory, ServiceEntry

BOTH: tuple[Protocol, Protocol] = ("tcp", "udp")

# Places beside the services. `clients` use the published ports; `outside` is another host with a route to us.
CLIENTS, OUTSIDE = "clients", "outside"
HOST, METADATA, INTERNET, IPV6 = "host", "metadata", "internet", "IPv6"
PLACES = (HOST, METADATA, INTERNET, OUTSIDE, IPV6)
# A port that no service uses, for the listeners on the host and on the other host.
SPARE_PORT = 39871
ANYWHERE = "0.0.0.0"
METADATA_ADDRESS = "169.254.169.254:80"
# A public resolver: always up, so an open path would show. The variable names another host, as address:port.
INTERNET_VARIABLE = "AIDC_AUDIT_INTERNET"
INTERNET_ADDRESS = os.environ.get(INTERNET_VARIABLE) or "1.1.1.1:53"
# TEST-NET-2 of RFC 5737 and the documentation prefix of RFC 3849: nobody's addresses.
OUTSIDE_ADDRESS, GATE_ADDRESS = "198.51.100.2", "198.51.100.1"
OUTSIDE_IPV6, GATE_IPV6 = "2001:db8:a1dc::2", "2001:db8:a1dc::1"


@dataclass(frozen=True)
class Probe:
    """One attempt. `flow` names the firewall's counter of a declared one, `segment` the address's network."""

    source: str
    destination: str
    segment: str
    protocol: Protocol
    target: str
    expected: Expected
    flow: str = ""

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])

    @property
    def what(self) -> str:
        where = f" in {self.segment}" if self.segment else ""
        return f"{self.source} to {self.destination} {self.protocol}/{self.port}{where}"


def is_target(text: str) -> bool:
    """Whether `text` is an IPv4 address and a port."""
    address, _, port = text.rpartition(":")
    try:
        IPv4Address(address)
    except ValueError:
        return False
    return port.isascii() and port.isdecimal() and 0 < int(port) < 65536


def reachable(inventory: Inventory, running: frozenset[str]) -> list[ServiceEntry]:
    """Services with addresses of their own whose container runs; `running` holds containers' names."""
    return [s for s in inventory.services if s.addresses and s.container in running]


def left_out(inventory: Inventory, running: frozenset[str]) -> dict[str, str]:
    """Service → why nothing can be probed from it."""
    reasons = {}
    for service in inventory.services:
        if service.role == "firewall":
            reasons[service.name] = (
                "lives in the host's network namespace, which the firewall does not filter"
            )
        elif not service.addresses:
            reasons[service.name] = "has no network at all"
        elif service.container not in running:
            reasons[service.name] = "its container is not running, so nothing there can send or listen"
    return reasons


def ports_of(service: ServiceEntry) -> list[int]:
    """One port of each listening range: its last, which of Ray's ranges nothing uses by chance."""
    return list(dict.fromkeys(listen.port_end for listen in service.listens)) or [SPARE_PORT]


def own_targets(service: ServiceEntry) -> list[str]:
    """Where a service's listeners must be seen open from itself before anybody else is asked."""
    return [f"{a}:{port}" for a in service.addresses.values() for port in ports_of(service)]


def counter(flow: FlowEntry) -> str:
    """The name of the firewall's counter of a flow."""
    return f"{flow.source}_{flow.destination}_{flow.segment}_{flow.port}".replace("-", "_")


def between(inventory: Inventory, services: Sequence[ServiceEntry]) -> Iterator[Probe]:
    """Every ordered pair of services, on every address and port of the destination, over TCP and UDP."""
    for source in services:
        for destination in services:
            if source.name == destination.name:
                continue
            for segment, address in destination.addresses.items():
                for port in ports_of(destination):
                    target = f"{address}:{port}"
                    for protocol in BOTH:
                        flow = declared(inventory, (source.role, destination.role, segment), port, protocol)
                        expected: Expected = "open" if flow else "blocked"
                        yield Probe(source.name, destination.name, segment, protocol, target, expected, flow)


def declared(inventory: Inventory, ends: tuple[str, str, str], port: int, protocol: str = "tcp") -> str:
    """The counter of the flow that allows this, or an empty text. `ends`: both roles and the segment."""
    for flow in inventory.flows:
        same = (flow.source, flow.destination, flow.segment) == ends and flow.protocol == protocol
        if same and flow.port <= port <= flow.port_end:
            return counter(flow)
    return ""


def outwards(services: Sequence[ServiceEntry], host: Sequence[str]) -> Iterator[Probe]:
    """From every service to everything that is not a service. `host` are the host's own addresses."""
    for source in services:
        name = source.name
        for address in host:
            for protocol in BOTH:
                yield Probe(name, HOST, "", protocol, f"{address}:{SPARE_PORT}", "blocked")
        yield Probe(name, METADATA, "", "tcp", METADATA_ADDRESS, "blocked")
        yield Probe(name, INTERNET, "", "tcp", INTERNET_ADDRESS, "blocked")
        for protocol in BOTH:
            yield Probe(name, OUTSIDE, "", protocol, f"{OUTSIDE_ADDRESS}:{SPARE_PORT}", "blocked")
        yield Probe(name, IPV6, "", "tcp", f"[{OUTSIDE_IPV6}]:{SPARE_PORT}", "blocked")


def inwards(inventory: Inventory, services: Sequence[ServiceEntry], bind: str) -> Iterator[Probe]:
    """From other hosts: past the published ports to every container, and to those ports themselves.

    `bind` is the address on which the host publishes: other hosts must find the ports there and nowhere else.
    """
    for service in services:
        for segment, address in service.addresses.items():
            for port in ports_of(service):
                for protocol in BOTH:
                    yield Probe(OUTSIDE, service.name, segment, protocol, f"{address}:{port}", "blocked")
    for balancer in inventory.by_role("load-balancer")[:1]:
        for purpose, port in published(inventory).items():
            near = "127.0.0.1" if bind == ANYWHERE else bind
            yield Probe(CLIENTS, balancer.name, "edge", "tcp", f"{near}:{port}", "open")
            gate = f"{GATE_ADDRESS}:{port}"
            flow = _clients_flow(inventory, balancer, purpose)
            if bind == ANYWHERE:
                yield Probe(OUTSIDE, balancer.name, "edge", "tcp", gate, "open", flow)
                continue
            yield Probe(OUTSIDE, balancer.name, "edge", "tcp", gate, "closed")
            if not ip_address(bind).is_loopback:
                yield Probe(OUTSIDE, balancer.name, "edge", "tcp", f"{bind}:{port}", "open", flow)


def _clients_flow(inventory: Inventory, balancer: ServiceEntry, purpose: str) -> str:
    """The counter behind a published port. A client on the host itself passes the firewall uncounted."""
    inside = next((n.port for n in balancer.listens if n.purpose.lower().startswith(purpose)), 0)
    return declared(inventory, (CLIENTS, balancer.role, "edge"), inside)


def published(inventory: Inventory) -> dict[str, int]:
    """Purpose → port on the host."""
    return {name: int(url.rpartition(":")[2]) for name, url in inventory.endpoints.items() if url}


def bind_address(inventory: Inventory) -> str:
    """The address on which the host publishes the endpoints; the loopback when there is none."""
    urls = [url for url in inventory.endpoints.values() if url]
    return urls[0].partition("://")[2].rpartition(":")[0] if urls else "127.0.0.1"


def gateways(inventory: Inventory) -> list[str]:
    """The host's address in each segment."""
    return [str(ip_network(segment.subnet)[1]) for segment in inventory.segments]


def by_source(probes: Sequence[Probe]) -> Mapping[str, list[Probe]]:
    grouped: dict[str, list[Probe]] = {}
    for probe in probes:
        grouped.setdefault(probe.source, []).append(probe)
    return grouped
