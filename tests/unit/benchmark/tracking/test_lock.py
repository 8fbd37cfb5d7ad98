"""One change of what is served at a time, also where a holder has died."""

from __future__ import annotations

import json

import pytest

from benchmark.core.errors import StackError
from benchmark.core.store import DirectoryStore
from benchmark.tracking import lock


def test_a_second_change_is_refused_and_the_first_one_named(store: DirectoryStore) -> None:
    with (
        lock.hold(store, "promote mlp"),
        pytest.raises(StackError, match=r"promote mlp .* is changing what is served; nothing was changed"),
        lock.hold(store, "promote digits"),
    ):
        pytest.fail("both hold the lock")
    with lock.hold(store, "promote digits"):
        pass
    assert not store.exists(lock.KEY)


def test_an_error_releases_the_lock(store: DirectoryStore) -> None:
    with pytest.raises(RuntimeError), lock.hold(store, "x"):
        raise RuntimeError
    assert not store.exists(lock.KEY)


def dead(store: DirectoryStore) -> None:
    store.put(lock.KEY, json.dumps({"token": "t", "holder": "dead", "until": 0}).encode())


def test_a_lock_that_has_ended_is_taken(store: DirectoryStore) -> None:
    dead(store)
    with lock.hold(store, "new"):
        assert json.loads(store.get(lock.KEY))["holder"].startswith("new")
    assert not store.exists(lock.KEY)


def test_only_one_takes_a_lock_that_has_ended(store: DirectoryStore) -> None:
    dead(store)
    with lock.hold(store, "first"):
        dead(store)  # as a slower one still sees it
        with pytest.raises(StackError), lock.hold(store, "second"):
            pytest.fail("both hold the lock")


def test_what_is_no_lock_is_named(store: DirectoryStore) -> None:
    store.put(lock.KEY, b"[]")
    with (
        pytest.raises(StackError, match=r"results/locks/serving\.json: is not a lock"),
        lock.hold(store, "x"),
    ):
        pytest.fail("it was taken")


def test_an_object_is_created_once(store: DirectoryStore) -> None:
    assert store.create("results/a", b"1")
    assert not store.create("results/a", b"2")
    assert store.get("results/a") == b"1"
    assert store.list("results/") == ["results/a"]
