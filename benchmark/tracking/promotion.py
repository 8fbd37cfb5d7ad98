"""Put another version of a model in service: check it, roll it out, then write the serving record.

The order makes every interruption harmless: until the update has succeeded the record says what was served
before, and the models that were served are deployed again where the update fails. MLflow's aliases follow the
record, for people to look at; nothing reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmark.cluster import replicas
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.replicas import Models
from benchmark.cluster.stack import Stack
from benchmark.core.errors import BenchmarkError, MlflowError, StackError
from benchmark.serving.settings import CANARY as CANARY_OF
from benchmark.tracking import serving_record
from benchmark.tracking.registry import (
    CANARY,
    CHAMPION,
    PREVIOUS,
    SHARE,
    Catalogue,
    Version,
    catalogue,
    differences,
    with_alias,
)
from benchmark.tracking.rollout import as_canary, champions, put_in_service
from benchmark.tracking.serving_record import State

Say = Callable[[str], None]
RECORDING = "writing the record of what is served"


def record_champion(client: MlflowClient, version: Version, change: str, say: Say) -> None:
    """`version` is served now, alone, and the champion of before is the previous one. Raises StackError."""
    say(RECORDING)
    record = serving_record.read(client)
    state = record.state(version.model).promoted(version.entry)
    serving_record.serve(client, record, version.model, state, change)
    show_aliases(client, version.model, state, say)


def show_aliases(client: MlflowClient, model: str, state: State, say: Say) -> None:
    """Set MLflow's aliases as the record has it. Where that fails, as for a deleted model, say so."""
    parts = {PREVIOUS: state.previous, CHAMPION: state.champion, CANARY: state.canary}
    try:
        for alias, entry in parts.items():
            if entry:
                client.set_alias(model, alias, str(entry.version))
            else:
                client.delete_alias(model, alias)
        if state.canary:
            client.tag_version(model, str(state.canary.version), {SHARE: str(state.share)})
    except MlflowError as error:
        say(f"{model}: what is served stands in the serving record; MLflow's aliases do not show it: {error}")


def promote(stack: Stack, client: MlflowClient, version: Version, say: Say) -> bool:
    """Serve this version and make it the champion; False where it is both already. Holds the lock."""
    known = catalogue(client)
    model = version.served
    champion = with_alias(known[version.model], CHAMPION)
    before, _ = replicas.deployed(stack.ray())
    same = before.get(version.model, {}).get("sha256") == model["sha256"]
    if same and _is(champion, version) and not _canary(version.model, known, before):
        if differences(known, [version.model]):
            show_aliases(client, version.model, serving_record.read(client).state(version.model), say)
        return False
    put_in_service(stack, {version.model: model}, champions(known), say)
    try:
        record_champion(client, version, f"version {version.number} is the champion", say)
    except BenchmarkError as error:
        raise StackError(
            f"{version.model} version {version.number} is served now, but that could not be recorded: "
            f"{error}; fix: the same command again"
        ) from error
    return True


def _is(one: Version | None, other: Version) -> bool:
    """Whether both are the same version; a model that was deleted may have another one of this number."""
    return one is not None and one.entry == other.entry


def may_share(known: Mapping[str, list[Version]], version: Version) -> None:
    """Raises StackError where there is no other champion that requests could be shared with. Pure."""
    champion = with_alias(known[version.model], CHAMPION)
    if champion is None:
        raise StackError(
            f"{version.model}: no version is the champion yet, so there is nothing to share requests with; "
            "fix: promote it without SHARE"
        )
    # One that was never checked has no hashes yet, and is no champion.
    if version.admitted and _is(champion, version):
        raise StackError(
            f"{version.model}: version {version.number} is the champion, and gets all requests; fix: another "
            "VERSION"
        )


def try_beside(stack: Stack, client: MlflowClient, version: Version, share: int, say: Say) -> None:
    """Let this version answer `share` percent of the champion's requests. The caller holds the lock."""
    known = catalogue(client)
    may_share(known, version)
    wanted = {version.model + CANARY_OF: as_canary(version, str(share))}
    put_in_service(stack, wanted, champions(known), say)
    say(RECORDING)
    record = serving_record.read(client)
    state = record.state(version.model).beside(version.entry, share)
    change = f"version {version.number} answers {share} %"
    serving_record.serve(client, record, version.model, state, change)
    show_aliases(client, version.model, state, say)


def end_canary(stack: Stack, client: MlflowClient, model: str, say: Say) -> bool:
    """Let the champion answer all requests again; False where it does. The caller holds the lock."""
    known = catalogue(client)
    before, _ = replicas.deployed(stack.ray())
    if not _canary(model, known, before):
        return False
    all_others = {n: m for n, m in champions(known).items() if n != model + CANARY_OF}
    served = before.get(model) or all_others.get(model)
    if served:
        put_in_service(stack, {model: served}, all_others, say)
    say(RECORDING)
    record = serving_record.read(client)
    state = record.state(model).alone()
    serving_record.serve(client, record, model, state, "the canary has ended")
    show_aliases(client, model, state, say)
    return True


def retire(stack: Stack, client: MlflowClient, model: str, say: Say) -> bool:
    """Serve this model and its canary no more; False where nothing does. The caller holds the lock."""
    known = catalogue(client)
    before, _ = replicas.deployed(stack.ray())
    wanted = champions(known)
    served = {model, model + CANARY_OF} & {*before, *wanted}
    if served:
        put_in_service(stack, {}, wanted, say, ended=[model])
    record = serving_record.read(client)
    state = record.state(model)
    if state.champion is None and state.canary is None:
        return bool(served)
    say(RECORDING)
    try:
        serving_record.serve(client, record, model, state.retired(), "out of service")
    except BenchmarkError as error:
        raise StackError(
            f"{model} is served no more, but that could not be recorded: {error}; fix: the same command again"
        ) from error
    show_aliases(client, model, state.retired(), say)
    return True


def _canary(model: str, known: Catalogue, before: Models) -> bool:
    """Whether the model has a canary, by its alias or in what is deployed."""
    return model + CANARY_OF in before or with_alias(known.get(model, []), CANARY) is not None
