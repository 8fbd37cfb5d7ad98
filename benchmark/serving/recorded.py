"""The fixed request to a model, and the served model's answer to it, kept in the bucket of the results.

A model that comes out of a backup is asked the same again: the same weights give the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.checkpoints.signature import OwnModel
from benchmark.core.config import GptConfig
from benchmark.core.errors import StoreError
from benchmark.core.store import Store, get_json, put_json

SCHEMA = "aidc.answer/1"
INSTANCES = 4


def instances(config: Any) -> list[Any]:
    """Always the same for a shape of model."""
    if isinstance(config, GptConfig):
        return [f"def f{i}(" for i in range(INSTANCES)]
    if isinstance(config, OwnModel):
        return [config.zeros()] * INSTANCES
    rows, columns = range(INSTANCES), range(config.inputs)
    return [[round((i * j) % 7 - 3 + i / 16, 4) for j in columns] for i in rows]


def key(sha256: str) -> str:
    """Where the answer of these weights lies: a client may not write to the bucket of the models."""
    return f"results/answers/{sha256}.json"


def write(
    store: Store,
    *,
    sha256: str,
    asked: Sequence[Any],
    predictions: Sequence[Any],
    at: str,
) -> None:
    """Keep what the served model with these weights answered; `at` in RFC 3339."""
    put_json(
        store,
        key(sha256),
        {
            "schema": SCHEMA,
            "sha256": sha256,
            "asked": at,
            "instances": list(asked),
            "predictions": list(predictions),
        },
    )


def read(store: Store, sha256: str) -> Mapping[str, Any] | None:
    """The answer of these weights; None where none was kept, or that of others."""
    if not store.exists(key(sha256)):
        return None
    try:
        found = get_json(store, key(sha256))
    except StoreError:
        return None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or found.get("sha256") != sha256:
        return None
    whole = isinstance(found.get("instances"), list) and isinstance(found.get("predictions"), list)
    return found if whole else None
