"""Objects that are documents, and digests of others: neither fills the memory of who reads them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from benchmark.core.errors import MissingError, StoreError
from benchmark.core.store import Store

# Bytes of a document. Jobs may write where others read, on the workstation too.
DOCUMENT_MOST = 64 * 2**20
PIECE = 2**20


def json_bytes(value: Any) -> bytes:
    """As `put_json` writes it: the same value always gives the same bytes."""
    return json.dumps(value, indent=1, sort_keys=True).encode()


def put_json(store: Store, key: str, value: Any) -> None:
    store.put(key, json_bytes(value))


def get_document(store: Store, key: str) -> bytes:
    """An object that is small where nobody means harm. Raises StoreError where it has DOCUMENT_MOST bytes."""
    parts, left = [], DOCUMENT_MOST
    with store.open(key) as body:
        while left > 0 and (part := body.read(left)):
            parts.append(part)
            left -= len(part)
    if left <= 0:
        raise StoreError(f"{key}: has {DOCUMENT_MOST >> 20} MiB or more: no such document was ever written")
    return b"".join(parts)


def sha256_of(store: Store, key: str) -> str:
    """The digest of an object of any size, in hexadecimal digits. Raises StoreError."""
    digest = hashlib.sha256()
    with store.open(key) as body:
        while part := body.read(PIECE):
            digest.update(part)
    return digest.hexdigest()


def get_json(store: Store, key: str) -> Any:
    """Raises StoreError; MissingError also for what is no JSON."""
    data = get_document(store, key)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MissingError(f"{key}: is not JSON: {error}") from error
