"""What a running store cannot become, and what a change of it means, before anything is changed."""

from typing import Any

import pytest

from audit.storage.buckets import LOCKABLE, described
from components.planning.config import StackConfig
from components.planning.validation import load
from operations.preflight import buckets
from operations.preflight.checks import Check

LOCK = {"mode": "compliance", "days": 7}


def config(**given: Any) -> StackConfig:
    return load({"object_store": {"buckets": given}}, "dev")


def live(lockable: str = "no", **given: Any) -> dict[str, dict[str, str]]:
    """A store in which every bucket is as declared by `given`."""
    declared = config(**given).object_store.declared()
    return {b.name: described(b) | {LOCKABLE: "yes" if b.object_lock else lockable} for b in declared}


def checked(found: dict[str, dict[str, str]] | None, **given: Any) -> Check:
    return buckets.check(config(**given), found)


RAW = {"quota": "1GiB", "versioning": True}


def test_a_store_that_is_as_declared_is_fine() -> None:
    found = checked(live(raw=RAW), raw=RAW)
    assert (found.issues, found.warnings) == ((), ())


def test_a_stack_that_does_not_run_has_nothing_to_refuse() -> None:
    assert checked(None, raw=RAW | {"object_lock": LOCK}).issues == ()


def test_a_lock_on_a_bucket_that_exists_is_refused() -> None:
    (issue,) = checked(live(raw=RAW), raw=RAW | {"object_lock": LOCK}).issues
    assert issue.path == "aidc:datacenter.object_store.buckets.raw.object_lock"


def test_a_lock_on_a_new_bucket_is_accepted() -> None:
    assert checked(live(), raw=RAW | {"object_lock": LOCK}).issues == ()


def test_a_bucket_that_was_made_with_a_lock_keeps_versions() -> None:
    (issue,) = checked(live(raw=RAW | {"object_lock": LOCK}), raw={"quota": "1GiB"}).issues
    assert issue.path == "aidc:datacenter.object_store.buckets.raw.versioning"


@pytest.mark.parametrize("after", [{}, {"object_lock": LOCK | {"days": 1}}])
def test_a_weaker_lock_is_said_to_be_for_new_versions_only(after: dict[str, Any]) -> None:
    found = checked(live(raw=RAW | {"object_lock": LOCK}), raw=RAW | after)
    assert found.issues == ()
    assert ["new versions only" in warning for warning in found.warnings] == [True]


def test_a_bucket_that_is_taken_out_is_named() -> None:
    (warning,) = checked(live(raw=RAW)).warnings
    assert "a bucket raw that is not declared" in warning
