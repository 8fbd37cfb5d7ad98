"""The replicas of the served models: how many, which models they hold, and when they answer with them."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from benchmark.checkpoints.artefact import card_key
from benchmark.cluster.connection import Connection
from benchmark.core.errors import BenchmarkError
from benchmark.serving.app import MAX_REPLICAS


def limits_for(nodes: int, least: int | None = None, most: int | None = None) -> dict[str, int]:
    """Replicas: one a compute node and two at least, to twice as many under load, unless it is said."""
    if least is None:
        least = min(max(2, nodes), most or MAX_REPLICAS)
    return {"min_replicas": least, "max_replicas": most or min(2 * least, MAX_REPLICAS)}


def limit_problems(least: int | None, most: int | None) -> list[str]:
    """What is wrong with the limits that the command line declares; the defaults fit each other."""
    problems = []
    if least is not None and not 2 <= least <= MAX_REPLICAS:
        problems.append(f"--min-replicas: {least}: give 2 to {MAX_REPLICAS}; one alone cannot be replaced")
    if most is not None and not 2 <= most <= MAX_REPLICAS:
        problems.append(
            f"--max-replicas: {most}: give 2 to {MAX_REPLICAS}, the ports that a node has for them"
        )
    if least is not None and most is not None and most < least:
        problems.append(f"--max-replicas: {most}: must not be below --min-replicas {least}")
    return problems


def deployment(cards: dict[str, dict[str, Any]], limits: dict[str, int]) -> dict[str, Any]:
    """Arguments of `benchmark.serving.app` for these models."""
    models = {n: {"card": card_key(c), "sha256": c["sha256"]} for n, c in cards.items()}
    return {"models": models, **limits}


def await_models(connection: Connection, hashes: dict[str, str], timeout_s: float = 90) -> None:
    """Wait until the load balancer answers with the models just deployed, not their predecessors."""
    deadline = time.monotonic() + timeout_s
    last = "no answer"
    good = 0
    while good < 4:  # several times in a row: each replica behind the balancer must have changed
        try:
            status, body = connection.call("GET", "/v1/models")
            last = f"status {status}: {body[:200].decode(errors='replace')}"
            served = {m["workload"]: m["sha256"] for m in json.loads(body)["models"]} if status == 200 else {}
            good = good + 1 if served == hashes else 0
        except (http.client.HTTPException, OSError, ValueError, KeyError, TypeError) as error:
            last, good = f"{type(error).__name__}: {error}", 0
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"GET /v1/models: not the models just deployed, after {timeout_s:.0f} s: {last}"
            )
        time.sleep(0.25)
