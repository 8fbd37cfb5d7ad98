"""The replicas of the served models: how many, which models they hold, and when they serve them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from benchmark.checkpoints.artefact import card_digest, card_key
from benchmark.cluster.connection import Connection, Endpoint
from benchmark.cluster.ray_api import RayClient
from benchmark.core.errors import BenchmarkError
from benchmark.serving.settings import CANARY, MAX_REPLICAS

UPDATE_S = 240.0
# Model -> `card`, the key of its card, `sha256` of its weights, `version` where it is known. With CANARY
# after its name: a second version, and `share`, the percentage of the requests that it gets.
Models = dict[str, dict[str, str]]


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


def models_of(cards: Mapping[str, Mapping[str, Any]]) -> Models:
    """The models of these cards, as a replica is told of them."""
    return {
        name: {"card": card_key(card), "sha256": str(card["sha256"]), "card_sha256": card_digest(card)}
        for name, card in cards.items()
    }


def deployed(ray: RayClient) -> tuple[Models, dict[str, int]]:
    """What Ray was told to serve, and the limits; both empty where nothing was deployed."""
    settings = ray.application().get("deployments", {}).get("models", {}).get("deployment_config", {})
    scaling = settings.get("autoscaling_config") or {}
    limits = {key: int(scaling[key]) for key in ("min_replicas", "max_replicas") if scaling.get(key)}
    return dict(settings.get("user_config") or {}), limits


# What another document than the expected one ends in: a job on a node may answer in a replica's place.
NO_ANSWER = (ValueError, KeyError, TypeError, RecursionError)


def answering(body: bytes) -> Models:
    """What a replica says that it serves: as it was told, without the keys of the cards."""
    found: Models = {}
    for row in json.loads(body)["models"]:
        found[row["workload"]] = {k: row[k] for k in ("sha256", "version") if k in row}
        if row.get("canary"):
            found[row["workload"] + CANARY] = dict(row["canary"])
    return found


def failing(body: bytes) -> dict[str, str]:
    """Model to why the replica could not load what it was told to serve."""
    found = json.loads(body)
    rows = found.get("failed", ()) if isinstance(found, dict) else ()
    return {str(row["workload"]): str(row["error"]) for row in rows}


def await_models(
    connection: Connection, models: Models, timeout_s: float = 90, required: Collection[str] | None = None
) -> dict[str, str]:
    """Wait until the load balancer answers with the models just deployed, not their predecessors.

    `required`: those that have to answer, by default all. Of the others, those that the replicas could not
    load, with the reason. BenchmarkError where a required one is among them, or after `timeout_s`.
    """
    wanted = {
        name: {k: v for k, v in m.items() if k not in ("card", "card_sha256")} for name, m in models.items()
    }
    needed = set(models) if required is None else set(required)
    failed: dict[str, str] = {}
    deadline = time.monotonic() + timeout_s
    last = "no answer"
    matches = 0
    while matches < 4:  # several times in a row: each replica behind the balancer must have changed
        try:
            status, body = connection.call("GET", "/v1/models")
            last = f"status {status}: {body[:200].decode(errors='replace')}"
            failed = failing(body) if status == 200 else {}
            matches = matches + 1 if status == 200 and _as_wanted(answering(body), wanted, failed) else 0
        except (http.client.HTTPException, OSError, *NO_ANSWER) as error:
            last, matches = f"{type(error).__name__}: {error}", 0
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"GET /v1/models: {timeout_s:.0f} s after the deployment still not the new models: {last}"
            )
        time.sleep(0.25)
    if broken := sorted(needed & failed.keys()):
        raise BenchmarkError("\n".join(f"{name}: replicas cannot load it: {failed[name]}" for name in broken))
    return failed


def _as_wanted(found: Models, wanted: Models, failed: Collection[str]) -> bool:
    """One that could not be loaded is answered by its predecessor, or not at all."""
    left_out = {*failed, *(name + CANARY for name in failed)}
    return all(found.get(name) == wanted.get(name) for name in {*found, *wanted} - left_out)


def roll_out(  # noqa: PLR0917
    ray: RayClient,
    endpoint: Endpoint,
    models: Models,
    limits: Mapping[str, int],
    mark: Callable[[str], None] = lambda name: None,
    required: Collection[str] | None = None,
) -> dict[str, str]:
    """Deploy these models and wait until only they answer. `mark` hears of begin and end.

    `required` and what is returned: as of `await_models`.
    """
    mark("update")
    ray.deploy({"models": models, **limits}, timeout_s=UPDATE_S)
    with Connection(endpoint) as connection:
        failed = await_models(connection, models, required=required)
    mark("updated")
    return failed
