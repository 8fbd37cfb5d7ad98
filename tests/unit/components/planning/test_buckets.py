"""The buckets that a stack declares: the defaults, and what a file changes of them."""

from typing import Any

import pytest

from components.planning import buckets
from components.planning.buckets import Declared
from components.planning.config import StackConfig
from components.planning.issues import ConfigError
from components.planning.validation import load


def declared(**given: Any) -> dict[str, Declared]:
    """The buckets of a stack whose file has `given` as its buckets."""
    config = load({"object_store": {"buckets": given}}, "dev")
    return {bucket.name: bucket for bucket in config.object_store.declared()}


DEFAULT = declared()


def test_a_stack_has_four_buckets_and_those_of_its_services() -> None:
    assert list(DEFAULT) == ["datasets", "checkpoints", "models", "results", "tracking", "database"]


def test_what_training_must_not_lose_is_versioned() -> None:
    assert {name for name, bucket in DEFAULT.items() if bucket.versioning} == {
        "datasets",
        "models",
        "database",
    }


def test_a_quota_alone_changes_nothing_else() -> None:
    changed = declared(results={"quota": "3GiB"})
    assert changed.pop("results") == DEFAULT["results"].model_copy(update={"quota": 3 * 2**30})
    assert changed == {name: bucket for name, bucket in DEFAULT.items() if name != "results"}


def test_a_new_bucket_is_for_nobody_but_the_backup() -> None:
    raw = declared(raw={"quota": "1GiB"})["raw"]
    assert (raw.read, raw.write, raw.delete, raw.versioning) == (("backup",), (), (), False)


@pytest.mark.parametrize("key", ["read", "write", "delete"])
def test_a_grant_is_for_whom_it_names(key: str) -> None:
    raw = declared(raw={"quota": "1GiB", key: ["client"]})["raw"]
    assert "client" in getattr(raw, key)
    assert all("client" not in getattr(raw, other) for other in {"read", "write", "delete"} - {key})


def test_the_databases_own_bucket_is_locked_for_as_long_as_the_file_says() -> None:
    raw = {"object_store": {"system_buckets": {"database": {"lock_days": 30}}}}
    (database,) = [b for b in load(raw, "dev").object_store.declared() if b.name == "database"]
    assert database.object_lock is not None
    assert (database.object_lock.mode, database.object_lock.days) == ("compliance", 30)
    assert (database.versioning, database.lifecycle.noncurrent_days) == (True, 30)


@pytest.mark.parametrize(
    "name",
    ["a-b", "raw.images", "0raw", "a" * 63, "raw-images-2026", "1.2.3", "1.2.3.4.5", "minio2", "databases"],
)
def test_a_name_that_s3_accepts_is_accepted(name: str) -> None:
    assert name in declared(**{name: {"quota": "1GiB"}})


@pytest.mark.parametrize(
    "name",
    [
        *("-raw", "raw-", "raw.", ".raw", "ra_w", "räw", "a" * 64, "sthree-x", "raw.mrap", "a.-b", "a-.b"),
        *("192.168.0.1", "1.2.3.400", "01.02.03.04"),
    ],
)
def test_a_name_that_s3_refuses_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        declared(**{name: {"quota": "1GiB"}})
    assert [issue.path for issue in caught.value.issues] == [f"aidc:datacenter.object_store.buckets.{name}"]


def test_a_name_with_a_line_break_is_refused_on_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        declared(**{"raw\n": {"quota": "1GiB"}})
    assert [issue.path for issue in caught.value.issues] == [r"aidc:datacenter.object_store.buckets.raw\n"]


@pytest.mark.parametrize("name", buckets.SYSTEM)
def test_the_bucket_of_a_service_is_changed_in_its_own_place(name: str) -> None:
    with pytest.raises(ConfigError, match=f"object_store.system_buckets.{name}"):
        declared(**{name: {"quota": "1GiB"}})


def test_a_lifecycle_as_long_as_the_lock_is_accepted() -> None:
    lock = {"mode": "governance", "days": 7}
    raw = {"quota": "1GiB", "versioning": True, "object_lock": lock, "lifecycle": {"noncurrent_days": 7}}
    assert declared(raw=raw)["raw"].lifecycle.noncurrent_days == 7


def test_buckets_without_a_file_are_the_default() -> None:
    assert {b.name: b for b in StackConfig().object_store.declared()} == DEFAULT
