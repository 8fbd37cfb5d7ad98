"""Checkpoints: written in the background, named by an atomic pointer, checked by hash on load.

`<prefix>/step-00000200.pt` comes first, then `<prefix>/latest.json` names it with its hash.
A crash in between leaves the old pointer and the old checkpoint in force.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import CheckpointError
from benchmark.core.store import Store

KEEP = 2


def save(store: Store, prefix: str, step: int, state: dict[str, Any]) -> dict[str, Any]:
    """Write `state` and point to it; older checkpoints beyond KEEP are removed. Returns the pointer."""
    start = time.perf_counter()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    key = f"{prefix}/step-{step:08d}.pt"
    store.put(key, data)
    pointer = {"step": step, "key": key, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    put_json(store, f"{prefix}/latest.json", pointer)
    for old in [k for k in store.list(f"{prefix}/step-") if k != key][: -(KEEP - 1) or None]:
        store.delete(old)
    return {**pointer, "seconds": round(time.perf_counter() - start, 4)}


def begun(store: Store, prefix: str, now: float) -> float:
    """When the training at `prefix` was first started, by the clock of the world: `now`, if that is now."""
    key = f"{prefix}/begun.json"
    if not store.exists(key):
        put_json(store, key, {"time": now})
        return now
    try:
        return float(get_json(store, key)["time"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{key}: is not the time of a start; delete it to start anew") from error


def load_latest(store: Store, prefix: str) -> dict[str, Any] | None:
    """The state that the pointer names, or None when there is none yet."""
    pointer_key = f"{prefix}/latest.json"
    if not store.exists(pointer_key):
        return None
    pointer = get_json(store, pointer_key)
    if not isinstance(pointer, dict):
        raise CheckpointError(f"{pointer_key}: is not a mapping; delete it to start from the beginning")
    missing = {"key", "sha256", "step"} - set(pointer)
    if missing:
        raise CheckpointError(f"{pointer_key}: {', '.join(sorted(missing))}: missing in the pointer")
    data = store.get(pointer["key"])
    check(data, pointer["sha256"], pointer["key"])
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True)
    except Exception as error:  # torch raises half a dozen types for broken files
        raise CheckpointError(f"{pointer['key']}: is not a checkpoint: {error}") from error
    return state


def check(data: bytes, sha256: str, key: str) -> None:
    actual = hashlib.sha256(data).hexdigest()
    if actual != sha256:
        raise CheckpointError(
            f"{key}: sha256: expected {sha256[:16]}…, is {actual[:16]}… ({len(data)} bytes): "
            f"corrupt or replaced; it is not loaded"
        )


def snapshot(value: Any) -> Any:
    """A copy on the CPU that training cannot change any more."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {k: snapshot(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(v) for v in value]
    return value


class Checkpointer:
    """Saves in a background thread, one at a time; the caller pays only for the snapshot.

    A background error is raised by the next `save` or by `close`, never lost; `failed` shows it earlier.
    """

    def __init__(
        self, store: Store, prefix: str, on_written: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        """`on_written` gets the pointer of each checkpoint, in the background thread."""
        self.store, self.prefix, self.on_written = store, prefix, on_written
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.pending: Future[dict[str, Any]] | None = None
        self.written: list[dict[str, Any]] = []

    def save(self, step: int, state: dict[str, Any]) -> None:
        self.wait()
        self.pending = self.pool.submit(self._write, step, snapshot(state))

    def _write(self, step: int, state: dict[str, Any]) -> dict[str, Any]:
        pointer = save(self.store, self.prefix, step, state)
        if self.on_written:
            self.on_written(pointer)
        return pointer

    @property
    def failed(self) -> bool:
        """Whether the next `wait` raises; does not wait itself."""
        pending = self.pending
        return pending is not None and pending.done() and pending.exception() is not None

    def wait(self) -> None:
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.written.append(pending.result())

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.pool.shutdown()
