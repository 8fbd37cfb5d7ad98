"""`python -m benchmark balancer-overhead`: what the load balancer adds to the latency of a request.

The same requests go through it and straight to the compute nodes. Outsiders can reach only the load balancer,
and only it can reach the nodes' proxies. So one client in the load balancer's own network
(`benchmark.load.paired_latency`) sends both: over TLS to the port on which the load balancer listens, and in
plain HTTP to the port to which it forwards. The two alternate request by request (ABBA), one at a time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmark.cluster import engine
from benchmark.cluster.connection import predict_path
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.inventory import container_names, services_of_role
from benchmark.cluster.stack import Stack
from benchmark.core import stats
from benchmark.core.errors import StackError
from benchmark.experiments import served_models
from benchmark.experiments.options import ServingOptions, add_served_model

PAIRS = 1000
BOUND_MS = 1.0
RESAMPLES = 2000
Options = ServingOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_served_model(parser)


def main(options: Options) -> int:
    return served_models.measure(
        options, "direct", lambda stack, result: examine(stack, result, options.workload)
    )


def examine(stack: Stack, result: dict[str, Any], workload: str | None) -> dict[str, Any]:
    """Run the client in the load balancer's network; the row of `serving.direct`."""
    name = served_models.choose(result, workload, 0)
    body = served_models.request_bodies(result["configuration"]["workloads"][name]["model"])[0]
    (balancer,) = services_of_role(stack.inventory, "load-balancer")
    command = [
        *engine.network_prefix(balancer["container"]),
        sys.executable,
        "-m",
        "benchmark.load.paired_latency",
    ]
    text = json.dumps(order(stack, name, body))
    with HostLoad(container_names(stack.inventory)) as host:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise StackError(f"client in the network of {balancer['container']}: {lines[-1]}")
    latencies = json.loads(done.stdout)
    return {
        "workload": name,
        **compare(latencies["balanced"], latencies["direct"]),
        "host_load": host.record,
    }


def order(stack: Stack, workload: str, body: bytes, pairs: int = PAIRS) -> dict[str, Any]:
    """What the client is to do. The token goes by its standard input, never by its command line."""
    nodes = services_of_role(stack.inventory, "compute")
    endpoint = stack.inference()
    return {
        "path": predict_path(workload),
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
    """The port of a role, from the inventory, by the beginning of its purpose."""
    for service in services_of_role(stack.inventory, role):
        for listen in service["listens"]:
            if str(listen["purpose"]).startswith(purpose):
                return int(listen["port"])
    raise StackError(f"inventory.services: no {role} has a port for {purpose!r}")


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
