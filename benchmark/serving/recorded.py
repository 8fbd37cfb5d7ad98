"""The fixed request to a model, and the served model's answer to it, kept in the bucket of the results.

A model that comes out of a backup is asked the same again: the same weights give the same answer. Jobs may
write to that bucket, so the serving record names each answer by its SHA-256, which is also its name here.
What older versions kept, and what is kept on a stack without that record, lies under the weights' hash alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.checkpoints.signature import INTEGERS, OwnModel
from benchmark.core.config import GptConfig
from benchmark.core.documents import get_document, get_json, json_bytes
from benchmark.core.errors import MissingError, StoreError
from benchmark.core.store import Store

SCHEMA = "aidc.answer/1"
INSTANCES = 4


class ReplacedError(StoreError):
    """What lies there is not the answer that the serving record names."""


def instances(config: Any) -> list[Any]:
    """Always the same for a shape of model, and of a kind that every such model answers."""
    if isinstance(config, GptConfig):
        return [f"def f{i}(" for i in range(INSTANCES)]
    if isinstance(config, OwnModel):
        return [config.zeros()] * INSTANCES
    rows, columns = range(INSTANCES), range(config.inputs)
    return [[round((i * j) % 7 - 3 + i / 16, 4) for j in columns] for i in rows]


def examples(config: Any) -> list[list[Any]]:
    """Requests, of which the first that the model answers is recorded.

    Zeros say little of the weights of a user's model; but whole numbers may be indices, and a signature does
    not say how large they may be.
    """
    if not isinstance(config, OwnModel):
        return [instances(config)]
    return [[_varied(config, i) for i in range(INSTANCES)], instances(config), instances(config)[:1]]


def _varied(config: OwnModel, row: int) -> Any:
    found = {t.name: _values(t.dtype, t.shape, row) for t in config.inputs}
    return found if config.named else next(iter(found.values()))


def _values(dtype: str, shape: Sequence[int], number: int) -> Any:
    if shape:
        return [_values(dtype, shape[1:], number * 3 + j) for j in range(shape[0])]
    if dtype == "bool":
        return number % 2 == 1
    return number % 2 if dtype in INTEGERS else round(number % 7 / 4 - 0.75, 4)


def finite(found: Any) -> bool:
    """Whether all numbers of an answer are some: what is none equals nothing, not even itself."""
    if isinstance(found, dict):
        return all(map(finite, found.values()))
    if isinstance(found, list):
        return all(map(finite, found))
    return not isinstance(found, float) or math.isfinite(found)


def key(sha256: str, answer: str = "") -> str:
    """Where the answer of these weights lies: a client may not write to the bucket of the models."""
    return f"results/answers/{sha256}/{answer}.json" if answer else f"results/answers/{sha256}.json"


def content(sha256: str, asked: Sequence[Any], predictions: Sequence[Any]) -> bytes:
    """The same for the same answer."""
    told = {
        "schema": SCHEMA,
        "sha256": sha256,
        "instances": list(asked),
        "predictions": list(predictions),
    }
    return json_bytes(told)


def write(store: Store, *, sha256: str, asked: Sequence[Any], predictions: Sequence[Any]) -> str:
    """Keep what the served model with these weights answered; the SHA-256 that the record has to name."""
    data = content(sha256, asked, predictions)
    digest = hashlib.sha256(data).hexdigest()
    store.put(key(sha256, digest), data)
    return digest


def write_unnamed(store: Store, *, sha256: str, asked: Sequence[Any], predictions: Sequence[Any]) -> None:
    """The same where there is no record that could name it."""
    store.put(key(sha256), content(sha256, asked, predictions))


def read(store: Store, sha256: str) -> Mapping[str, Any] | None:
    """The answer of these weights that nothing names; None where none was kept, or that of others."""
    if not store.exists(key(sha256)):
        return None
    try:
        return _answer(get_json(store, key(sha256)), sha256)
    except StoreError:
        return None


def named(store: Store, sha256: str, answer: str) -> Mapping[str, Any] | None:
    """The answer that the record names; None where it is not there. ReplacedError where another one is."""
    place = key(sha256, answer)
    try:
        data = get_document(store, place)
    except MissingError:
        return None
    except StoreError as error:
        raise ReplacedError(str(error)) from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != answer:
        raise ReplacedError(
            f"{place}: sha256: by the serving record {answer[:16]}…, is {actual[:16]}…: corrupt or replaced"
        )
    try:
        found = _answer(json.loads(data), sha256)
    except (ValueError, RecursionError):
        found = None
    if found is None:
        raise ReplacedError(f"{place}: is no answer of the weights {sha256[:16]}…")
    return found


def _answer(found: Any, sha256: str) -> Mapping[str, Any] | None:
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or found.get("sha256") != sha256:
        return None
    whole = isinstance(found.get("instances"), list) and isinstance(found.get("predictions"), list)
    return found if whole else None
