"""Latencies through the load balancer and straight to the nodes, request by request in turns.

    python -m benchmark.load.paired_latency < ORDER.json

runs in the load balancer's network: `benchmark.experiments.balancer_overhead` starts it there and reads the
latencies from its standard output.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmark.cluster.connection import Connection, Endpoint

WARM_UP = 30


def sides(pair: int) -> tuple[str, str]:
    """ABBA order: drift and warm-up affect both sides alike."""
    return ("balanced", "direct") if pair % 2 == 0 else ("direct", "balanced")


def measure(order: dict[str, Any]) -> dict[str, list[float]]:
    """Latencies in ms, pair by pair. Raises OSError or HTTPException, also for a status other than 200."""
    with ExitStack() as connections:

        def connect(endpoint: Endpoint) -> Connection:
            return connections.enter_context(Connection(endpoint, retries=0))

        balanced = connect(Endpoint(**order["balanced"]))
        nodes = [connect(Endpoint(url)) for url in order["direct"]]
        path, body = order["path"], order["body"].encode()
        for i in range(WARM_UP):
            for connection in (balanced, nodes[i % len(nodes)]):
                latency_ms(connection, path, body)
        latencies: dict[str, list[float]] = {"balanced": [], "direct": []}
        for pair in range(order["pairs"]):
            for side in sides(pair):
                # Two pairs per node, so that each node is asked first and second equally often.
                connection = balanced if side == "balanced" else nodes[pair // 2 % len(nodes)]
                latencies[side].append(latency_ms(connection, path, body))
    return latencies


def latency_ms(connection: Connection, path: str, body: bytes) -> float:
    begin = time.perf_counter()
    status, answer = connection.call("POST", path, body)
    if status != 200:
        raise OSError(f"status {status}: {answer[:200].decode(errors='replace')}")
    return (time.perf_counter() - begin) * 1e3


def main() -> int:
    try:
        json.dump(measure(json.load(sys.stdin)), sys.stdout)
    except (OSError, http.client.HTTPException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
