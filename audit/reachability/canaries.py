"""Asks for names from inside every container while the host's interfaces are watched. Effects: both.

The engine's resolver answers for its networks and asks others for the rest; the wire shows if it did.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from audit.engine import host
from audit.engine.snapshot import Snapshot, bridges
from audit.reachability import names, probes
from audit.reachability.capture import Capture, masters
from audit.reachability.namespaces import Probers
from audit.reachability.probes import HOST
from audit.verdicts import Row
from components.planning.inventory import ServiceEntry

# The engine gives up on its own query after a few seconds; whatever it sends, it sends at once.
SECONDS = 2.0


def ask(probers: Probers, snapshot: Snapshot, services: Sequence[ServiceEntry]) -> list[Row]:
    """Every service asks each server in its reach for a name of its own; the host's query is the control."""
    token = secrets.token_hex(8)
    labels = {names.label(token, index): service.name for index, service in enumerate(services)}
    control = names.label(token, len(services))
    inner = names.inner_interfaces(bridges(snapshot), masters())
    orders: dict[str, dict[str, Any]] = {}
    for label, service in zip(labels, services, strict=True):
        resolvers = names.nameservers(host.nameservers(snapshot.process(service.container)))
        outer = [probes.OUTSIDE_ADDRESS, probes.INTERNET_ADDRESS.partition(":")[0]]
        servers = list(dict.fromkeys((names.ENGINE_RESOLVER, *resolvers, *outer)))
        name = f"{label}.{names.DOMAIN}"
        orders[service.name] = {"do": "ask", "name": name, "servers": servers, "seconds": SECONDS}
    orders[HOST] = {
        "do": "ask",
        "name": f"{control}.{names.DOMAIN}",
        "servers": [probes.OUTSIDE_ADDRESS],
        "seconds": SECONDS / 2,
    }
    with Capture([*labels, control]) as capture:
        replies = probers.ask(orders)
    leak = names.leaked(capture.sightings, labels, inner, control)
    if capture.gave_up:
        leak = replace(leak, verdict="not checked", detail=capture.gave_up)
    return [names.answered({s: r for s, r in replies.items() if s != HOST}), leak]
