"""What a stack that went by aliases serves, into the record of it: once, and only what jobs cannot forge.

`benchmark/tracking/serving_record.py` reads and writes the record; the words below are its words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from .settings import say

BENCHMARK = "benchmark"
RECORD, HISTORY = "aidc-serving", "benchmark"
WORKLOADS = ("bytelm", "digits", "mlp")
SCHEMA = "aidc.serving/1"
ALIASES = ("champion", "previous", "canary")


def taken_over(runs: Any, registry: Any, record: str, history: str, theirs: Collection[str]) -> None:
    """Once, on a stack that served by aliases: what jobs could not have written goes into the record.

    `theirs`: the models that jobs owned until now.
    """
    for model in pages(registry.search_registered_models):
        if model.name in WORKLOADS and model.name not in theirs:
            for kind, state in entries(model, list(versions(registry, model.name)), runs, history):
                write(runs, record, model.name, kind, state)
        elif "champion" in model.aliases:
            say(
                f"{model.name}: version {model.aliases['champion']} was champion by an alias that jobs may "
                f"set, and is not taken over; fix: `make promote MODEL={model.name} "
                f"VERSION={model.aliases['champion']}`"
            )


def entries(
    model: Any, found: Iterable[Any], runs: Any, history: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, state) of each version that a run of the benchmark proves, and of what is served."""
    proven: dict[str, dict[str, Any]] = {}
    shares: dict[str, str] = {}
    for version in found:
        card, sha256 = version.tags.get("card", ""), version.tags.get("sha256", "")
        if not sha256 or trained(runs, model.name, version.run_id, history) != (card, sha256):
            continue
        entry = {"version": int(version.version), "card": card, "sha256": sha256, "card_sha256": ""}
        proven[str(version.version)] = {**entry, "created": str(version.creation_timestamp)}
        shares[str(version.version)] = version.tags.get("share", "")
    yield from (("admitted", entry) for entry in proven.values())
    parts = {alias: proven.get(str(model.aliases.get(alias))) for alias in ALIASES}
    canary = shares.get(str(model.aliases.get("canary")), "")
    share = int(canary) if canary.isascii() and canary.isdigit() and 1 <= int(canary) <= 99 else 0
    if parts["champion"]:
        state = {**parts, "canary": parts["canary"] if share else None}
        yield "served", {**state, "share": share if state["canary"] else 0, "revision": 1}


def trained(runs: Any, model: str, run_id: str, history: str) -> tuple[str, str]:
    """Card and weights' hash by the run that trained them; empty where it is no run of this workload."""
    from mlflow.exceptions import MlflowException

    try:
        run = runs.get_run(run_id)
    except MlflowException:
        return "", ""
    found = {**run.data.tags, **run.data.params}
    folder = str(found.get("model_key", "")).rpartition("/")[0]
    if str(run.info.experiment_id) != history or not str(found.get("aidc.part", "")).startswith(f"{model}/"):
        return "", ""
    return f"{folder}/model.json", str(found.get("model_sha256", ""))


def write(runs: Any, record: str, model: str, kind: str, state: Mapping[str, Any]) -> None:
    """As `serving_record._write` does."""
    from mlflow.entities import RunStatus, RunTag

    told = {"schema": SCHEMA, "kind": kind, "model": model, "state": json.dumps(state, sort_keys=True),
            "change": "taken over from the aliases", "by": "tracking-setup"}  # fmt: skip
    tags = [RunTag(f"aidc.{name}", value) for name, value in told.items()]
    now_ms = int(time.time() * 1000)
    run = runs.create_run(record, BENCHMARK, now_ms, tags, f"{model}: {told['change']}")
    runs.update_run_info(run.info.run_id, RunStatus.FINISHED, now_ms, None)
    if kind == "served":
        say(f"{model}: version {state['champion']['version']} is served, as its alias said")


def versions(registry: Any, name: str) -> Iterator[Any]:
    # In a condition a quotation mark would end the name; such a model is nobody's workload.
    if not set("'\"`\\") & set(name):
        yield from pages(lambda **more: registry.search_model_versions(f"name='{name}'", **more))


def pages(search: Any) -> Iterator[Any]:
    token = None
    while True:
        found = search(page_token=token)
        yield from found
        token = found.token
        if not token:
            return
