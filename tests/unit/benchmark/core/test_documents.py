"""What jobs wrote is read as a document only up to a size, whatever it claims to be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from benchmark.core import documents
from benchmark.core.documents import get_document, get_json, sha256_of
from benchmark.core.errors import MissingError, StoreError
from benchmark.core.store import DirectoryStore, Store
from benchmark.serving import recorded
from benchmark.tracking import lock

KEY = "models/a/model.json"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(documents, "DOCUMENT_MOST", 64)
    return DirectoryStore(tmp_path)


def test_a_document_is_read_whole(store: Store) -> None:
    store.put(KEY, b"x" * 63)
    assert get_document(store, KEY) == b"x" * 63


def test_one_that_is_too_large_is_refused_and_named(store: Store) -> None:
    store.put(KEY, b" " * 64)
    with pytest.raises(StoreError, match=f"^{KEY}: has "):
        get_json(store, KEY)


def test_a_hole_of_a_terabyte_fills_no_memory(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, b"")
    with (tmp_path / KEY).open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(StoreError, match="has 64 MiB or more"):
        get_json(store, KEY)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000])
def test_what_is_no_json_is_missing(content: bytes, tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, content)
    with pytest.raises(MissingError, match="is not JSON"):
        get_json(store, KEY)


def test_an_answer_that_is_too_large_is_one_that_was_replaced(store: Store) -> None:
    store.put(recorded.key("a" * 64, "b" * 64), b"x" * 100)
    with pytest.raises(recorded.ReplacedError, match="has "):
        recorded.named(store, "a" * 64, "b" * 64)


def test_a_lock_that_is_too_large_is_named(store: Store) -> None:
    store.put(lock.KEY, b"x" * 100)
    with pytest.raises(StoreError, match=f"^{lock.KEY}: has "), lock.hold(store, "a test"):
        pytest.fail("it was taken")


def test_a_digest_is_that_of_all_pieces(tmp_path: Path) -> None:
    store, content = DirectoryStore(tmp_path), bytes(range(256)) * 5000
    store.put(KEY, content)
    assert sha256_of(store, KEY) == hashlib.sha256(content).hexdigest()
