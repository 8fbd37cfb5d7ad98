"""Throughput and latency of the object store by size, clients and way, against a plain store in turns."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from benchmark.analysis import storage
from benchmark.core import stats
from components.planning.flows import MINIO, S3
from components.planning.inventory import Inventory
from components.planning.store_place import ALIAS
from components.planning.units import MIB, UNITS
from operations.engine.client import Engine
from operations.engine.services import running
from operations.measuring.client import LoadClient
from operations.measuring.documents import Load, StorageRatio, StorageRow
from operations.measuring.plain_store import PlainStore
from operations.measuring.record import host_load, load_of
from operations.measuring.throwaway import Throwaway

# Of the stack's own client, and not versioned: what is deleted is gone.
BUCKET = "results"
PREFIX = "bench-storage"
SIZES = (64 * UNITS["KiB"], MIB, 64 * MIB)
CLIENTS = (1, 8)
OPERATIONS = ("put", "get")
BALANCED, DIRECT, PLAIN = "balancer", "direct", "plain"
# What the load balancer, and what TLS and encryption leave of the throughput.
RATIOS = ((BALANCED, DIRECT), (DIRECT, PLAIN), (BALANCED, PLAIN))


@dataclass(frozen=True)
class Cell:
    """What is compared: one operation on objects of one size by so many clients at once."""

    operation: str
    size: int
    clients: int


def cells() -> Iterator[Cell]:
    for size in SIZES:
        for clients in CLIENTS:
            for operation in OPERATIONS:
                yield Cell(operation, size, clients)


def places(inventory: Inventory, access: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Through the load balancer, and straight to the nodes: both as the stack's own client."""
    keys = {name: access["s3"][name] for name in ("access_key", "secret_key")}
    own = {
        "keys": keys,
        "bucket": BUCKET,
        "ca_pem": access["ca_pem"],
        # Two runs at once do not delete each other's objects.
        "prefix": f"{PREFIX}/{secrets.token_hex(4)}",
    }
    nodes = [node.addresses["storage"] for node in inventory.by_role("object-store")]
    return {
        BALANCED: {**own, "urls": [f"https://127.0.0.1:{S3}"]},
        DIRECT: {
            **own,
            "prefix": f"{own['prefix']}-direct",
            "urls": [f"https://{address}:{MINIO}" for address in nodes],
            "server_name": ALIAS,
        },
    }


def measure(
    engine: Engine,
    inventory: Inventory,
    access: Mapping[str, Any],
    *,
    rounds: int,
    seconds: float,
    on_row: Callable[[StorageRow], None],
) -> tuple[list[StorageRow], list[StorageRatio], Load]:
    """Every cell by every way. The clients run in the load balancer's network, which may do both."""
    stack = inventory.stack
    nodes = inventory.by_role("object-store")
    like = running(engine, stack, nodes[0].name)
    balancer = inventory.by_role("load-balancer")[0].container
    running(engine, stack, "load-balancer")
    rows: list[StorageRow] = []
    ratios: list[StorageRatio] = []
    with Throwaway(engine, stack, PREFIX) as throwaway, ExitStack() as opened:
        plain = PlainStore(throwaway, like, len(nodes))
        own = {"keys": plain.keys, "urls": plain.urls, "bucket": BUCKET, "prefix": PREFIX}
        loads = {
            way: opened.enter_context(LoadClient(f"client {way}", balancer, place))
            for way, place in places(inventory, access).items()
        }
        loads[PLAIN] = opened.enter_context(
            LoadClient(f"client {PLAIN}", plain.client, own, make_bucket=True)
        )
        host = opened.enter_context(host_load(engine, stack))
        for cell in cells():
            found = compare(loads, cell, rounds, seconds)
            for way, row in found.items():
                made = StorageRow(
                    way=way, operation=cell.operation, bytes=cell.size, clients=cell.clients, **row
                )
                rows.append(made)
                on_row(made)
            ratios += ratios_of(cell, found)
    return rows, ratios, load_of(host)


def compare(
    loads: Mapping[str, LoadClient], cell: Cell, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """One cell by every way in turns (ABBA): a drift of the machine meets all of them alike."""
    segments: dict[str, list[dict[str, Any]]] = {way: [] for way in loads}
    for load in loads.values():
        load.ask({"do": "warm_up", "size": cell.size, "clients": cell.clients})
    order = {
        "do": "segment",
        "operation": cell.operation,
        "size": cell.size,
        "clients": cell.clients,
        "seconds": seconds,
    }
    for _, way in stats.alternating(list(loads), rounds):
        segments[way].append(loads[way].ask(order))
    return {way: storage.row(found, cell.size, seconds) for way, found in segments.items()}


def ratios_of(cell: Cell, found: Mapping[str, Mapping[str, Any]]) -> Sequence[StorageRatio]:
    made = []
    for way, to in RATIOS:
        interval = storage.ratio(found[way], found[to])
        if interval is not None:
            made.append(
                StorageRatio(
                    way=way,
                    to=to,
                    operation=cell.operation,
                    bytes=cell.size,
                    clients=cell.clients,
                    **interval,
                )
            )
    return made
