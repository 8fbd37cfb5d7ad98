"""One change of what is served at a time: a lock in the object store, which all checkouts of a stack share.

It is an object that only one can create. Whoever dies with it leaves it behind, so it ends by itself after
`LIFETIME_S`; then one may take its place, namely whoever creates the object named after the old lock.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from benchmark.core.documents import get_document
from benchmark.core.errors import MissingError, StackError, StoreError
from benchmark.core.store import Store

FOLDER = "results/locks"
KEY = f"{FOLDER}/serving.json"
LIFETIME_S = 1200.0  # longer than two updates may take: the new models, and the old ones again
POLL_S = 2.0


@contextmanager
def hold(store: Store, purpose: str, patience_s: float = 0) -> Iterator[None]:
    """Hold the lock. StackError names the holder where another has it for longer than `patience_s`."""
    token = uuid.uuid4().hex
    holder = f"{purpose} (process {os.getpid()} on {socket.gethostname()})"
    deadline = time.monotonic() + patience_s
    while not _take(store, token, holder):
        if time.monotonic() >= deadline:
            held = _read(store) or {}
            left = max(0.0, float(held.get("until", 0)) - time.time())
            raise StackError(
                f"serving: {held.get('holder', 'another command')} is changing what is served; nothing was "
                f"changed; fix: try again when it has ended; if it died, the lock ends in {left:.0f} s"
            )
        time.sleep(min(POLL_S, max(0.0, deadline - time.monotonic())))
    try:
        yield
    finally:
        with suppress(StoreError):  # it ends by itself
            if (_read(store) or {}).get("token") == token:
                store.delete(KEY)


def _take(store: Store, token: str, holder: str) -> bool:
    mine = json.dumps({"token": token, "holder": holder, "until": time.time() + LIFETIME_S}).encode()
    if store.create(KEY, mine):
        return True
    held = _read(store)
    if held is None or time.time() < float(held["until"]):
        return False
    # Never deleted: a slower one that saw the same old lock must not win as well.
    if not store.create(f"{FOLDER}/serving-{held['token']}.ended", holder.encode()):
        return False
    store.put(KEY, mine)
    return True


def _read(store: Store) -> dict[str, Any] | None:
    """The lock, or None: it was just released."""
    try:
        found = json.loads(get_document(store, KEY))
        return {"token": str(found["token"]), "holder": str(found["holder"]), "until": float(found["until"])}
    except MissingError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StackError(
            f"{KEY}: is not a lock; fix: delete this object if nothing is being changed"
        ) from error
