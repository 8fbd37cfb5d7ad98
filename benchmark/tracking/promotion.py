"""Put another version of a model in service: check it, roll it out, then move the aliases.

The order makes every interruption harmless: until the update has succeeded the aliases say what was served
before, and the models that were served are deployed again where the update fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress

from benchmark.cluster import replicas
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.replicas import Models
from benchmark.cluster.stack import Stack
from benchmark.core.errors import BenchmarkError, CheckpointError, StackError
from benchmark.core.store import Store, get_json
from benchmark.tracking.registry import CHAMPION, PREVIOUS, Catalogue, Version, catalogue, with_alias

Say = Callable[[str], None]


def champions(known: Catalogue) -> Models:
    """What the aliases say is to be served."""
    found = ((name, with_alias(versions, CHAMPION)) for name, versions in known.items())
    return {name: version.served for name, version in found if version}


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
    if said != model["sha256"]:
        raise CheckpointError(
            f"{name}: {model['card']}: names weights with sha256 {str(said)[:16]}…, the registry has "
            f"{model['sha256'][:16]}…; it is not served"
        )
    actual = hashlib.sha256(store.get(card["key"])).hexdigest()
    if actual != said:
        raise CheckpointError(
            f"{name}: {card['key']}: sha256: expected {said[:16]}…, is {actual[:16]}…: corrupt or replaced; "
            "it is not served"
        )


def put_in_service(
    stack: Stack, wanted: Models, others: Models, say: Say, limits: dict[str, int] | None = None
) -> None:
    """Roll out `wanted` beside what is served already and `others`. The caller holds the lock.

    `limits`: of the replicas; by default as they are. Where it fails, what was served before is deployed
    again, and the error is raised.
    """
    ray, store = stack.ray(), stack.store()
    before, now = replicas.deployed(ray)
    for name, model in wanted.items():
        check(store, name, model)
    rest = {name: model for name, model in {**before, **others}.items() if name not in wanted}
    models = {**usable(store, rest, say), **wanted}
    limits = limits or now or replicas.limits_for(stack.compute_nodes)
    try:
        replicas.roll_out(ray, stack.inference(), models, limits)
    except (BenchmarkError, KeyboardInterrupt):
        if before:
            say("the update failed; the models that were served before are deployed again")
            with suppress(BenchmarkError):
                replicas.roll_out(ray, stack.inference(), before, now or limits)
        raise


def move_aliases(client: MlflowClient, version: Version) -> None:
    """`version` is served now. The old champion becomes `previous` first: no moment loses it."""
    champion = with_alias(catalogue(client).get(version.model, []), CHAMPION)
    if champion and champion.number != version.number:
        client.set_alias(version.model, PREVIOUS, str(champion.number))
    client.set_alias(version.model, CHAMPION, str(version.number))


def promote(stack: Stack, client: MlflowClient, version: Version, say: Say) -> bool:
    """Serve this version and make it the champion; False where it is both already. Holds the lock."""
    known = catalogue(client)
    model = version.served
    champion = with_alias(known[version.model], CHAMPION)
    before, _ = replicas.deployed(stack.ray())
    if champion and champion.number == version.number and before.get(version.model) == model:
        return False
    put_in_service(stack, {version.model: model}, champions(known), say)
    try:
        move_aliases(client, version)
    except BenchmarkError as error:
        raise StackError(
            f"{version.model} version {version.number} is served now, but the alias could not be moved: "
            f"{error}; fix: the same command again"
        ) from error
    return True
