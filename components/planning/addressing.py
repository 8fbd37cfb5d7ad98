"""The address plan: segments, subnets, and a static address for every service. Pure.

Static addresses let a preview know every firewall rule before anything exists.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.planning.config import Network

SEGMENTS = ("edge", "service", "fabric", "storage", "backup", "monitor", "egress")
# The ports of the host lead into the one; out of the other leads the way to an outside object store
# and to the receivers of alerts.
OPEN = ("edge", "egress")
# RFC 1918 only: Python's is_private also includes loopback, link-local and reserved addresses.
PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
# Room for a /24 per segment, which the host numbers below need.
MINIMUM_PREFIX = 21
# First host number of each role within every segment; the gateway is 1. Adding a node moves no other service.
FIRST_HOST = {
    "load-balancer": 10,
    "ray-head": 20,
    "alert-gateway": 26,
    "alerts": 27,
    "store-gateway": 28,
    "store-check": 29,
    "vault": 30,
    "backup": 31,
    "object-store-setup": 32,
    "database": 33,
    "tracking": 34,
    "tracking-setup": 35,
    "metrics": 36,
    "logs": 37,
    "home": 38,
    "object-store": 40,
    "compute": 100,
}


@dataclass(frozen=True)
class Segment:
    """One Docker network. `bridge` is its interface on the host, at most 15 characters."""

    name: str
    network: str
    bridge: str
    subnet: IPv4Network
    internal: bool

    @property
    def gateway(self) -> str:
        return str(self.subnet[1])


def subnets(network: Network) -> dict[str, IPv4Network]:
    """Segment → subnet: the overrides, else equal parts of the CIDR in the order of SEGMENTS."""
    parts = network.cidr.subnets(prefixlen_diff=3)
    planned = dict(zip(SEGMENTS, parts, strict=False))
    return {name: network.segments.get(name, planned[name]) for name in SEGMENTS}  # type: ignore[call-overload]


def bridge_name(stack: str, segment: str) -> str:
    """Interface name within the kernel's 15 characters; the digest keeps long stack names apart."""
    digest = hashlib.sha256(stack.encode()).hexdigest()[:4]
    return f"dc{digest}-{segment}"


def segments(stack: str, network: Network) -> tuple[Segment, ...]:
    """All segments of a stack. Only `edge` and `egress` have access to the outside."""
    return tuple(
        Segment(
            name=name,
            network=f"aidc-{stack}-{name}",
            bridge=bridge_name(stack, name),
            subnet=subnet,
            internal=name not in OPEN,
        )
        for name, subnet in subnets(network).items()
    )


def address(segment: Segment, role: str, index: int = 0) -> str:
    """The static address of the `index`-th service of `role` in `segment`."""
    return str(segment.subnet[FIRST_HOST[role] + index])
