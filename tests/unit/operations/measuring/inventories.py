"""A small inventory."""

from __future__ import annotations

from components.planning.inventory import Inventory, ServiceEntry


def inventory() -> Inventory:
    nodes = [
        ServiceEntry(
            name=f"object-store-{n}",
            role="object-store",
            container=f"aidc-dev-object-store-{n}",
            image="x",
            addresses={"storage": f"10.0.0.{n}"},
            listens=[],
        )
        for n in (1, 2)
    ]
    return Inventory(
        schema="aidc.inventory/1", stack="dev", segments=[], services=nodes, flows=[], endpoints={}
    )
