"""How traffic reaches a container: published ports and networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Address, ip_address, ip_network

from components.planning.addressing import PRIVATE
from policies.model import Resource, segment_of, stack_of
from policies.rule import resource_rule

EDGE_ROLES = frozenset({"load-balancer"})
# Clients come in by the one, and the way to an outside object store leads out of the other.
OPEN_SEGMENTS = frozenset({"edge", "egress"})
DEFAULT_BRIDGES = frozenset({"", "default", "bridge"})
BRIDGE_NAME = "com.docker.network.bridge.name"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.14",),
    fix="set ports.ip to the one address on which the port is to be reachable",
)
def publish_explicit_ip(container: Resource) -> Iterator[str]:
    """Checks whether ports are published on one address of the host rather than on all."""
    for port in container.each("ports"):
        fault = _address_fault(str(port.get("ip") or ""))
        if fault:
            yield f"port {_port(port, 'internal')} is published on {fault}"
    if container.get("publishAllPorts"):
        yield "publishAllPorts is set"


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    cis=("5.9",),
    also=("KSV-0024",),
    fix="remove ports and add a route to the load balancer",
)
def publish_edge_only(container: Resource) -> Iterator[str]:
    """Checks whether only the load balancer publishes ports."""
    if container.role in EDGE_ROLES:
        return
    for port in container.each("ports"):
        yield f"role {container.role or '(none)'} publishes port {_port(port, 'internal')}"


@resource_rule(
    "container",
    severity="low",
    level="advisory",
    cis=("5.8",),
    fix="publish on port 1024 or above",
)
def no_low_host_port(container: Resource) -> Iterator[str]:
    """Checks whether no host port below 1024 is published."""
    for port in container.each("ports"):
        external = float(port.get("external") or 0)
        if 0 < external < 1024:
            yield f"host port {external:.0f} is below 1024"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.30", "2.2"),
    fix="attach the container to its segments by networksAdvanced, or set networkMode to none",
)
def own_network(container: Resource) -> Iterator[str]:
    """Checks whether a container is not on Docker's default bridge, which any container may join."""
    if "bridge" in container.networks:
        yield "networksAdvanced contains the default bridge"
    elif not container.networks and container.text("networkMode") in DEFAULT_BRIDGES:
        yield "no network is named, so it joins the default bridge"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    also=("CVE-2024-29018",),
    fix='set dns to ["127.0.0.1"]: names of the stack still resolve',
)
def closed_dns(container: Resource) -> Iterator[str]:
    """Checks whether no DNS query of a container is forwarded to the outside, where data could leak."""
    # Without a user-defined network a container asks the host's resolver or none.
    if container.networks and [str(server) for server in container.each("dns")] != ["127.0.0.1"]:
        yield 'dns is not exactly ["127.0.0.1"]'


@resource_rule(
    "network",
    severity="critical",
    level="mandatory",
    fix="set internal; only the segments edge and egress have access to the outside",
)
def internal_network(network: Resource) -> Iterator[str]:
    """Checks whether no network but edge and egress has access to the outside."""
    is_open = bool(stack_of(network.name)) and segment_of(network.name) in OPEN_SEGMENTS
    if not is_open and network.get("internal") is not True:
        yield "internal is not set"


@resource_rule(
    "network",
    "container",
    severity="high",
    level="mandatory",
    fix="remove ipv6 and its addresses: the firewall's flows are IPv4",
)
def ipv4_only(resource: Resource) -> Iterator[str]:
    """Checks whether IPv6, which would bypass the flow table, is off."""
    if resource.kind == "network":
        if resource.get("ipv6"):
            yield "ipv6 is enabled"
        for config in resource.each("ipamConfigs"):
            if ":" in str(config.get("subnet") or ""):
                yield f"subnet {config.get('subnet')} is IPv6"
        return
    for network in resource.each("networksAdvanced"):
        if network.get("ipv6Address"):
            yield f"an IPv6 address is set on {network.get('name')}"


@resource_rule(
    "network",
    severity="medium",
    level="mandatory",
    fix="set ipamConfigs to the one subnet of the address plan",
)
def fixed_subnet(network: Resource) -> Iterator[str]:
    """Checks whether a network has exactly one private subnet, so that firewall rules can name it."""
    subnets = [str(config.get("subnet") or "") for config in network.each("ipamConfigs")]
    if len(subnets) != 1 or not _is_private(subnets[0]):
        yield "ipamConfigs does not contain exactly one private subnet"


@resource_rule(
    "network",
    severity="high",
    level="mandatory",
    fix=f"use the driver bridge and set the option {BRIDGE_NAME}",
)
def fixed_bridge(network: Resource) -> Iterator[str]:
    """Checks whether a network's interface has a fixed name, to which the firewall's default deny applies."""
    name = str(network.mapping("options").get(BRIDGE_NAME) or "")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", name):
        yield f"option {BRIDGE_NAME} is not set, so no firewall rule covers the network"
    driver = network.text("driver") or "bridge"
    if driver != "bridge":
        yield f"driver {driver} has no bridge that the firewall could filter"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="set networksAdvanced.ipv4Address to the address of the plan",
)
def fixed_address(container: Resource) -> Iterator[str]:
    """Checks whether a container has its planned address in every segment, as firewall rules require."""
    fixed = {str(n.get("name")) for n in container.each("networksAdvanced") if n.get("ipv4Address")}
    for network in container.networks:
        if network not in fixed:
            yield f"it has no fixed address in {network}"


def _port(port: object, key: str) -> str:
    value = port.get(key) if hasattr(port, "get") else None
    return f"{float(value):.0f}" if value is not None else "(any)"


def _is_private(subnet: str) -> bool:
    try:
        found = ip_network(subnet)
    except ValueError:
        return False
    return isinstance(found, IPv4Network) and any(found.subnet_of(private) for private in PRIVATE)


def _address_fault(given: str) -> str:
    """What is wrong with an address to publish on; the unspecified address has many spellings."""
    if not given:
        return "every address of the host"
    try:
        address = ip_address(re.sub(r"^\[(.*)\]$", r"\1", given).partition("%")[0])
    except ValueError:
        return f"{given!r}, which is not an address"
    plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    if plain.is_unspecified:
        return "every address of the host"
    several = plain.is_multicast or (plain.version == 4 and plain.is_reserved)
    return f"{given}, which is not the address of a single host" if several else ""
