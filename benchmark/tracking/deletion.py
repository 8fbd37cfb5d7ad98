"""Deleting a user's own model, or a version of it, from MLflow's registry: what may go, and what stays.

Only the registry's entry goes. Weights that were made from a version stay in the bucket `models`, where the
stack lets nobody delete, and MLflow keeps the artefacts with the run that logged them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.replicas import Models
from benchmark.core.errors import ConfigError, StackError
from benchmark.core.store import Store
from benchmark.serving.settings import CANARY as CANARY_OF
from benchmark.tracking import serving_record
from benchmark.tracking.registry import CANARY, CARD, CHAMPION, SHA256, Catalogue, Version, choose


@dataclass(frozen=True)
class Doomed:
    """What goes: these versions of a model, or the model with all of them."""

    model: str
    versions: tuple[Version, ...]
    whole: bool

    def __str__(self) -> str:
        if not self.whole:
            return f"version {self.versions[0].number} of model {self.model}"
        numbers = ", ".join(str(version.number) for version in self.versions)
        return f"model {self.model} with " + (f"its versions {numbers}" if numbers else "no version")


def doomed(
    known: Catalogue, model: str, wanted: str | None, deployed: Models, workloads: Collection[str]
) -> Doomed:
    """What is to go: the version that has this number or alias, or the whole model. Pure.

    ConfigError with every reason why it must stay. `deployed`: what replicas were told to serve.
    """
    if wanted is None and model in known:
        found = tuple(known[model])
    else:
        found = (choose(known, model, wanted or ""),)
    problems = []
    if model in workloads or any(map(_of_benchmark, known[model])):
        problems.append(f"MODEL: {model!r}: belongs to a workload of the benchmark; its versions stay")
    else:
        problems += [said for version in found if (said := _served(version, deployed))]
        if wanted is None and not problems and {model, model + CANARY_OF} & deployed.keys():
            problems.append(f"MODEL: {model!r}: replicas serve it")
    if problems and wanted is None and len(found) > 1 and model not in workloads:
        problems.append(f"MODEL: a version that is not served can go alone: MODEL={model} VERSION=…")
    if problems:
        raise ConfigError(problems)
    return Doomed(model, found, wanted is None)


def _of_benchmark(version: Version) -> bool:
    """Whether a run of the benchmark trained it, by its card in the record that jobs cannot write."""
    return version.admitted and not version.tags[CARD].startswith(f"models/{version.model}/own/")


def _served(version: Version, deployed: Models) -> str:
    """Why the version has to stay; empty where nothing serves it."""
    what, model = f"VERSION: {version.number} of {version.model}", version.model
    if CHAMPION in version.aliases:
        return (
            f"{what}: is served, as champion; fix: `make promote MODEL={model} VERSION=…` serves another "
            f"one, `make retire MODEL={model}` none"
        )
    if CANARY in version.aliases:
        return f"{what}: is served, as canary; fix: `make demote MODEL={model}` ends that"
    told = [deployed.get(name, {}).get(SHA256) for name in (model, model + CANARY_OF)]
    if version.tags.get(SHA256) and version.tags[SHA256] in told:
        return f"{what}: replicas serve its weights; fix: `make serve` serves what the record says"
    return ""


def left(store: Store, gone: Doomed) -> dict[str, int]:
    """Folders of weights in the object store that stay behind, each with its bytes. Raises StoreError."""
    cards = {version.tags[CARD] for version in gone.versions if version.admitted}
    folders = sorted({card.rpartition("/")[0] + "/" for card in cards})
    return {folder: sum(store.sizes(folder).values()) for folder in folders}


def delete(client: MlflowClient, gone: Doomed) -> None:
    """The caller holds the lock of promotions. Raises StackError.

    Nothing may lead back to a version that is gone: first it ends to be the previous one in the record.
    """
    record = serving_record.read(client)
    state = record.state(gone.model)
    for version in gone.versions:
        previous = state.previous
        if previous and (previous.version, previous.created) == (version.number, version.created):
            state = replace(state, previous=None)
            serving_record.serve(client, record, gone.model, state, f"version {version.number} is deleted")
    try:
        if gone.whole:
            client.delete_model(gone.model)
        else:
            client.delete_version(gone.model, str(gone.versions[0].number))
    except StackError as error:
        raise StackError(f"{gone}: MLflow did not delete it: {error}") from error
