"""The replicas of the served models: how many, which models they hold, and when they serve them."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from benchmark.checkpoints.artefact import card_key
from benchmark.cluster.connection import Connection
from benchmark.core.errors import BenchmarkError
from benchmark.serving.settings import MAX_REPLICAS


def limits_for(nodes: int, minimum: int | None = None, maximum: int | None = None) -> dict[str, int]:
    """By default one replica per compute node, at least two, and up to twice as many under load."""
    if minimum is None:
        minimum = min(max(2, nodes), maximum or MAX_REPLICAS)
    return {"min_replicas": minimum, "max_replicas": maximum or min(2 * minimum, MAX_REPLICAS)}


def limit_problems(minimum: int | None, maximum: int | None) -> list[str]:
    """What is wrong with the limits on the command line; the defaults are consistent."""
    problems = []
    if minimum is not None and not 2 <= minimum <= MAX_REPLICAS:
        problems.append(f"--min-replicas: {minimum}: give 2 to {MAX_REPLICAS}; one alone cannot be replaced")
    if maximum is not None and not 2 <= maximum <= MAX_REPLICAS:
        problems.append(
            f"--max-replicas: {maximum}: give 2 to {MAX_REPLICAS}, the ports that a node has for them"
        )
    if minimum is not None and maximum is not None and maximum < minimum:
        problems.append(f"--max-replicas: {maximum}: must not be below --min-replicas {minimum}")
    return problems


def deployment(cards: dict[str, dict[str, Any]], limits: dict[str, int]) -> dict[str, Any]:
    """Arguments of `benchmark.serving.app` for these models."""
    models = {n: {"card": card_key(c), "sha256": c["sha256"]} for n, c in cards.items()}
    return {"models": models, **limits}


def await_models(connection: Connection, hashes: dict[str, str], timeout_s: float = 90) -> None:
    """Wait until the load balancer answers with the models just deployed, not their predecessors."""
    deadline = time.monotonic() + timeout_s
    last = "no answer"
    matches = 0
    while matches < 4:  # several times in a row: each replica behind the balancer must have changed
        try:
            status, body = connection.call("GET", "/v1/models")
            last = f"status {status}: {body[:200].decode(errors='replace')}"
            served = {m["workload"]: m["sha256"] for m in json.loads(body)["models"]} if status == 200 else {}
            matches = matches + 1 if served == hashes else 0
        except (http.client.HTTPException, OSError, ValueError, KeyError, TypeError) as error:
            last, matches = f"{type(error).__name__}: {error}", 0
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"GET /v1/models: {timeout_s:.0f} s after the deployment still not the new models: {last}"
            )
        time.sleep(0.25)
