"""Roll models out to the replicas: what is to be served, whether its objects are as declared, and the update.

Whatever fails, what was served before is deployed again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from benchmark.checkpoints.artefact import card_digest
from benchmark.cluster import replicas
from benchmark.cluster.replicas import Models
from benchmark.cluster.stack import Stack
from benchmark.core.documents import get_json, sha256_of
from benchmark.core.errors import BenchmarkError, CheckpointError
from benchmark.core.store import Store
from benchmark.serving.settings import CANARY as CANARY_OF
from benchmark.serving.settings import MODEL_NAME
from benchmark.tracking.registry import CANARY, CARD_SHA256, CHAMPION, SHARE, Catalogue, Version, with_alias

Say = Callable[[str], None]


def champions(known: Catalogue) -> Models:
    """What is to be served by the serving record: each champion, and its canary where there is one.

    The catalogue has them from the serving record, so that nothing a job writes is among them.
    """
    found: Models = {}
    for name, versions in known.items():
        champion, canary = with_alias(versions, CHAMPION), with_alias(versions, CANARY)
        if champion is None or not champion.admitted or not MODEL_NAME.fullmatch(name):
            continue
        found[name] = champion.served
        share = canary.tags.get(SHARE, "") if canary and canary.admitted else ""
        if canary and share.isascii() and share.isdigit() and 1 <= int(share) <= 99:
            found[name + CANARY_OF] = as_canary(canary, share)
    return found


def as_canary(version: Version, share: str) -> dict[str, str]:
    """As a replica is told of it; `share` is the percentage of the requests that it gets."""
    return {**version.served, SHARE: share}


def usable(store: Store, models: Models, say: Say) -> Models:
    """Those whose objects are there as declared. One that is not must not keep the others from service."""
    found: Models = {}
    for name, model in models.items():
        try:
            check(store, name, model)
            found[name] = model
        except BenchmarkError as error:
            say(f"{name}: left out, because it could not be served: {error}")
    return found


def check(store: Store, name: str, model: Mapping[str, str]) -> None:
    """The object store has these weights; CheckpointError or StoreError says what is wrong with them.

    Replicas check the same before they load a model. Here it is found out before any of them is touched.
    """
    card = get_json(store, model["card"])
    said = card.get("sha256") if isinstance(card, dict) else None
    if model.get(CARD_SHA256) and card_digest(card if said else {}) != model[CARD_SHA256]:
        raise CheckpointError(
            f"{name}: {model['card']}: has another hash than when it was admitted: corrupt or replaced; "
            "it is not served"
        )
    place = f"models/{name.removesuffix(CANARY_OF)}/"
    if said and not str(card.get("key", "")).startswith(place):
        raise CheckpointError(f"{name}: {model['card']}: its weights are not below {place}; it is not served")
    if said != model["sha256"]:
        raise CheckpointError(
            f"{name}: {model['card']}: names weights with sha256 {str(said)[:16]}…, the registry has "
            f"{model['sha256'][:16]}…; it is not served"
        )
    actual = sha256_of(store, card["key"])
    if actual != said:
        raise CheckpointError(
            f"{name}: {card['key']}: sha256: expected {said[:16]}…, is {actual[:16]}…: corrupt or replaced; "
            "it is not served"
        )


def put_in_service(  # noqa: PLR0917
    stack: Stack,
    wanted: Models,
    others: Models,
    say: Say,
    limits: dict[str, int] | None = None,
    ended: Collection[str] = (),
) -> None:
    """Roll out `wanted` beside what is served already and `others`. The caller holds the lock.

    The canary of a model that is wanted ends, unless it is wanted as well.
    `limits`: of the replicas; by default as they are. `ended`: models that are served no more.
    Where it fails, what was served before is deployed again, and the error is raised. A model that is not
    wanted and that replicas cannot load is told, and is no failure.
    """
    ray, store = stack.ray(), stack.store()
    before, now = replicas.deployed(ray)
    say("comparing the weights in the object store with their hashes")
    for name, model in wanted.items():
        check(store, name, model)
    gone = {*wanted, *ended, *(name + CANARY_OF for name in (*wanted, *ended))}
    rest = {name: m for name, m in {**before, **others}.items() if name not in gone}
    models = {**usable(store, rest, say), **wanted}
    # A canary shares the requests of a champion, and is not found without one.
    models = {n: m for n, m in models.items() if n.removesuffix(CANARY_OF) in models}
    limits = limits or now or replicas.limits_for(stack.compute_nodes)
    say("replicas take it over one after the other, which may take a minute; the former goes on answering")
    try:
        failed = replicas.roll_out(ray, stack.inference(), models, limits, required=wanted)
    except (BenchmarkError, KeyboardInterrupt):
        if before:
            say("the update failed; the models that were served before are deployed again")
            with suppress(BenchmarkError):
                replicas.roll_out(ray, stack.inference(), before, now or limits)
        raise
    for name, reason in failed.items():
        say(f"{name}: replicas cannot load it, and answer 503 or with the model before it: {reason}")
