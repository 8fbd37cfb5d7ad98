"""Prepared data sets in the store: shards, then a manifest that makes them a data set.

`datasets/<workload>/<digest of its description>/` holds shards (safetensors) and
`manifest.json`, which is written last: without it the data set does not exist. Every shard
is checked against its SHA-256 when it is read.
"""

from __future__ import annotations

import hashlib
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays
from torch import Tensor

from benchmark.core.config import WORKLOADS_DIR, ModuleData, SourceCodeData, Workload, digest
from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import DataError
from benchmark.core.store import Store
from benchmark.data import baselines, custom, stages
from benchmark.data.records import Split

SCHEMA = "aidc.dataset/1"
SHARD_BYTES = 8 << 20
READERS = 4


def location(workload: Workload, frozen: bool = True) -> str:
    """The store prefix of the data set that this workload describes."""
    identity: dict[str, Any] = {"schema": SCHEMA, "data": workload.data.model_dump()}
    if isinstance(workload.data, SourceCodeData):
        path = WORKLOADS_DIR / workload.data.files
        text = path.read_bytes() if frozen and path.is_file() else platform.python_version().encode()
        identity["source"] = hashlib.sha256(text).hexdigest()
    if isinstance(workload.data, ModuleData):
        identity["source"] = hashlib.sha256(custom.code(workload.data)).hexdigest()
    return f"datasets/{workload.name}/{digest(identity)[:16]}"


def prepare(workload: Workload, store: Store, frozen: bool = True) -> dict[str, Any]:
    """Make the data set unless it is there; return its manifest with `reused` set."""
    prefix = location(workload, frozen)
    if store.exists(f"{prefix}/manifest.json"):
        return {**read_manifest(store, prefix), "reused": True}
    pipeline = stages.run(workload.data, frozen)
    parts = {"train": pipeline.train, "heldout": pipeline.heldout}
    # Before anything is written: data that no baseline can be computed on are no data set.
    rows = stages.guarded(
        workload.data, "baselines", lambda: baselines.compute(workload.data, pipeline.train, pipeline.heldout)
    )
    start = time.perf_counter()
    splits = {name: _upload(store, f"{prefix}/{name}", part) for name, part in parts.items()}
    upload_s = time.perf_counter() - start
    manifest = {
        "schema": SCHEMA,
        "name": workload.name,
        "prefix": prefix,
        "description": workload.data.model_dump(mode="json"),
        "sha256": digest(
            [[shard["sha256"] for shard in splits[name]["shards"]] for name in ("train", "heldout")]
        ),
        "splits": splits,
        "stages": pipeline.stages,
        "provenance": pipeline.provenance,
        "baselines": rows,
        "upload": {"bytes": sum(s["bytes"] for s in splits.values()), "seconds": round(upload_s, 3)},
    }
    put_json(store, f"{prefix}/manifest.json", manifest)
    return {**manifest, "reused": False}


def read_manifest(store: Store, prefix: str) -> dict[str, Any]:
    key = f"{prefix}/manifest.json"
    manifest = get_json(store, key)
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise DataError(f"{key}: schema: expected {SCHEMA!r}; delete the prefix and prepare the data again")
    for part in ("train", "heldout"):
        found = (manifest.get("splits") or {}).get(part) or {}
        if not found.get("shards"):
            raise DataError(
                f"{key}: splits.{part}.shards: missing; delete the prefix and prepare the data again"
            )
    return manifest


def load(manifest: dict[str, Any], store: Store, part: str) -> dict[str, Tensor]:
    """Read one part, checking every shard: a dict of tensors that share their first axis."""

    def read(shard: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
        key, data = shard["key"], store.get(shard["key"])
        actual = hashlib.sha256(data).hexdigest()
        if actual != shard["sha256"]:
            raise DataError(
                f"{key}: shard is corrupt: sha256 is {actual[:16]}…, {len(data)} bytes; the manifest says "
                f"{shard['sha256'][:16]}…, {shard['bytes']} bytes. Delete {manifest['prefix']}/ and repeat."
            )
        try:
            return load_arrays(data)
        except SafetensorError as error:
            raise DataError(f"{key}: shard is not a safetensors file: {error}") from error

    with ThreadPoolExecutor(READERS) as pool:  # TLS and SHA-256 leave the interpreter's lock alone
        pieces = list(pool.map(read, manifest["splits"][part]["shards"]))
    return {name: torch.from_numpy(np.concatenate([p[name] for p in pieces])) for name in pieces[0]}


def _upload(store: Store, prefix: str, part: Split) -> dict[str, Any]:
    rows = len(part)
    count = max(1, -(-part.size() // SHARD_BYTES))
    edges = [round(i * rows / count) for i in range(count + 1)]
    shards = []
    for number, (first, last) in enumerate(pairwise(edges)):
        data = save_arrays({name: np.ascontiguousarray(a[first:last]) for name, a in part.arrays.items()})
        key = f"{prefix}-{number:04d}.safetensors"
        store.put(key, data)
        shards.append(
            {"key": key, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "rows": last - first}
        )
    return {"rows": rows, "bytes": sum(s["bytes"] for s in shards), "shards": shards}
