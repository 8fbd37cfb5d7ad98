"""From the plan to the exported inventory. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from components.load_balancer import endpoints
from components.planning.inventory import (
    FlowEntry,
    Inventory,
    ListenEntry,
    SegmentEntry,
    ServiceEntry,
)
from components.planning.plan import Plan

# Role → image; the image of any other role has the role's name.
IMAGE_OF_ROLE = {
    "ray-head": "compute",
    "object-store-setup": "object-store",
    "store-gateway": "load-balancer",
    "store-check": "backup",
    "alert-gateway": "load-balancer",
    "tracking-setup": "tracking",
    "vault-pruner": "backup",
}


def inventory(plan: Plan, images: dict[str, str]) -> dict[str, Any]:
    """The stack output `inventory`. `images` maps an image's name to its full reference."""
    used = {segment for service in plan.services for segment in service.addresses}
    result = Inventory(
        schema="aidc.inventory/1",
        stack=plan.stack,
        segments=[
            SegmentEntry(name=s.name, network=s.network, subnet=str(s.subnet), internal=s.internal)
            for s in plan.segments
            if s.name in used
        ],
        services=[
            ServiceEntry(
                name=s.name,
                role=s.role,
                container=s.container,
                image=images[IMAGE_OF_ROLE.get(s.role, s.role)],
                addresses=s.addresses,
                listens=[ListenEntry(**asdict(listen)) for listen in s.listens],
            )
            for s in plan.services
        ],
        flows=[FlowEntry(**asdict(flow)) for flow in plan.flows],
        endpoints=endpoints(plan),
        buckets=list(plan.buckets),
    )
    return result.model_dump(mode="json", by_alias=True)
