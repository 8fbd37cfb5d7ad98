"""What the load balancer adds: the same requests through it and straight to the compute nodes.

Outsiders may reach only the load balancer, and only it may reach the nodes' proxies. So one client in
the load balancer's own network sends both: over TLS to the port on which the load balancer listens, and
in plain HTTP to the port to which it forwards. The two alternate request by request (ABBA), one at a time.

    python -m benchmark.experiments.balancer_overhead < ORDER.json    the client itself, started in that
    network
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.cluster import engine
from benchmark.cluster.connection import Connection, Endpoint
from benchmark.cluster.stack import Stack
from benchmark.core import stats
from benchmark.core.errors import StackError
from benchmark.experiments.hostload import HostLoad
from benchmark.experiments.resilience import bodies, served_workload

PAIRS = 1000
WARM_UP = 30
BOUND_MS = 1.0
RESAMPLES = 2000


def order(stack: Stack, workload: str, body: bytes, pairs: int = PAIRS) -> dict[str, Any]:
    """What the client is to do. The token goes by its standard input, never by its command line."""
    nodes = engine.of_role(stack.inventory, "compute")
    endpoint = stack.inference()
    return {
        "path": f"/v1/models/{workload}:predict",
        "body": body.decode(),
        "pairs": pairs,
        "balanced": {
            "url": f"https://127.0.0.1:{_port(stack, 'load-balancer', 'inference')}",
            "ca_path": endpoint.ca_path,
            "token": endpoint.token,
        },
        "direct": [
            f"http://{node['addresses']['service']}:{_port(stack, 'compute', 'Ray Serve')}" for node in nodes
        ],
    }


def _port(stack: Stack, role: str, purpose: str) -> int:
    """The port of a role whose purpose begins so, from the inventory."""
    for service in engine.of_role(stack.inventory, role):
        for listen in service["listens"]:
            if str(listen["purpose"]).startswith(purpose):
                return int(listen["port"])
    raise StackError(f"inventory.services: no {role} listens for {purpose!r}")


def sides(pair: int) -> tuple[str, str]:
    """ABBA: what drifts or warms falls on both alike."""
    return ("balanced", "direct") if pair % 2 == 0 else ("direct", "balanced")


def measure(wanted: dict[str, Any]) -> dict[str, list[float]]:
    """Latencies in ms, pair by pair. Raises OSError or HTTPException; a status other than 200 is one."""
    balanced = Connection(Endpoint(**wanted["balanced"]), retries=0)
    nodes = [Connection(Endpoint(url), retries=0) for url in wanted["direct"]]
    path, body = wanted["path"], wanted["body"].encode()

    def ask(connection: Connection) -> float:
        begin = time.perf_counter()
        status, answer = connection.call("POST", path, body)
        if status != 200:
            raise OSError(f"status {status}: {answer[:200].decode(errors='replace')}")
        return (time.perf_counter() - begin) * 1e3

    for i in range(WARM_UP):
        for connection in (balanced, nodes[i % len(nodes)]):
            ask(connection)
    found: dict[str, list[float]] = {"balanced": [], "direct": []}
    for pair in range(wanted["pairs"]):
        for side in sides(pair):
            # Two pairs a node, so that each node is asked first and second equally often.
            found[side].append(ask(balanced if side == "balanced" else nodes[pair // 2 % len(nodes)]))
    return found


def compare(balanced: Sequence[float], direct: Sequence[float], seed: int = 0) -> dict[str, Any]:
    """Medians in ms, their difference, and its 95 % bootstrap interval over pairs."""
    a, b = np.asarray(balanced), np.asarray(direct)
    picks = np.random.default_rng(seed).integers(0, len(a), (RESAMPLES, len(a)))
    differences = np.median(a[picks], axis=1) - np.median(b[picks], axis=1)
    low, high = np.percentile(differences, [2.5, 97.5])
    return {
        "pairs": len(a),
        "balanced_p50_ms": round(float(np.median(a)), 3),
        "direct_p50_ms": round(float(np.median(b)), 3),
        "added_p50_ms": round(float(np.median(a) - np.median(b)), 3),
        "low_ms": round(float(low), 3),
        "high_ms": round(float(high), 3),
        "bound_ms": BOUND_MS,
        "balanced_ecdf": stats.ecdf(balanced),
        "direct_ecdf": stats.ecdf(direct),
    }


def examine(stack: Stack, result: dict[str, Any], workload: str | None) -> dict[str, Any]:
    """Run the client in the load balancer's network; a row of `serving.direct`."""
    name = served_workload(result, workload, 0)
    body = bodies(result["configuration"]["workloads"][name]["model"])[0]
    (balancer,) = engine.of_role(stack.inventory, "load-balancer")
    command = [
        *engine.network_of(balancer["container"]),
        sys.executable,
        "-m",
        "benchmark.experiments.balancer_overhead",
    ]
    text = json.dumps(order(stack, name, body))
    with HostLoad(engine.names(stack.inventory)) as host:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise StackError(f"client in the network of {balancer['container']}: {lines[-1]}")
    found = json.loads(done.stdout)
    return {"workload": name, **compare(found["balanced"], found["direct"]), "host_load": host.record}


def main() -> int:
    try:
        json.dump(measure(json.load(sys.stdin)), sys.stdout)
    except (OSError, http.client.HTTPException) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
