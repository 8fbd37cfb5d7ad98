"""What the pruner keeps, whatever times a writer names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images.backup.keeper.pruning.prune import DEAD_AFTER, dead
from images.backup.keeper.pruning.retention import Snapshot, decide, decide_each

START = datetime(2026, 2, 2, tzinfo=UTC)
RETENTION = {"hourly": 24, "daily": 7, "weekly": 5, "monthly": 12}
NOTHING = dict.fromkeys(RETENTION, 0)


def every(minutes: int, count: int) -> list[Snapshot]:
    moments = [START + timedelta(minutes=minutes * n) for n in range(count)]
    return [Snapshot(f"{n:04}", moment, moment) for n, moment in enumerate(moments)]


def test_of_half_hourly_snapshots_the_newest_of_each_period_stays() -> None:
    found = decide(every(30, 48 * 10), RETENTION)
    assert len(found.keep) < 40
    assert "0479" in found.keep
    assert found.keep | found.forget == {s.name for s in every(30, 480)}


def test_the_newest_and_the_newest_complete_one_always_stay() -> None:
    snapshots = every(30, 4)
    partial = [Snapshot(s.name, s.named, s.arrived, s.name == "0001") for s in snapshots]
    assert decide(partial, NOTHING).keep == {"0003", "0001"}


def test_a_complete_snapshot_goes_before_a_later_partial_one_of_the_same_hour() -> None:
    whole, part = every(30, 2)
    part = Snapshot(part.name, part.named, part.arrived, complete=False)
    later = Snapshot("later", START + timedelta(days=40), START + timedelta(days=40))
    kept = decide([whole, part, later], {**NOTHING, "monthly": 2}).keep
    assert kept == {"0000", "later"}


def test_each_job_keeps_its_own_and_none_pushes_out_anothers() -> None:
    often = [replace(s, name=f"often-{s.name}", job="often") for s in every(5, 100)]
    rare = [replace(s, name=f"rare-{s.name}", job="rare") for s in every(24 * 60, 20)]
    yearly = {**NOTHING, "daily": 365}
    found = decide_each([*often, *rare], NOTHING, {"often": NOTHING, "rare": yearly})
    assert found.keep == {"often-0099", *(s.name for s in rare)}
    assert len(found.forget) == 99


def test_snapshots_of_an_earlier_release_go_on_with_the_job_that_saves_everything() -> None:
    before, after = every(5, 2)
    after = replace(after, job="everything")
    assert decide_each([before, after], RETENTION, {"everything": NOTHING}).forget == {"0000"}
    assert decide_each([before, after], NOTHING, {"other": NOTHING}).forget == frozenset()


def test_a_job_that_is_declared_no_more_is_kept_as_the_file_says_for_all() -> None:
    gone = [replace(s, job="gone") for s in every(24 * 60, 9)]
    assert len(decide_each(gone, {**NOTHING, "daily": 4}, {"other": NOTHING}).keep) == 4


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.integers(min_value=-400, max_value=400), max_size=60))
def test_times_that_a_writer_makes_up_push_no_good_snapshot_out(days: list[int]) -> None:
    """Snapshots that arrive later than they name, or earlier, count for nothing and stay themselves."""
    good = every(24 * 60, 5)
    end = good[-1].arrived
    made_up = [
        Snapshot(f"odd-{n}", end + timedelta(days=d), end + timedelta(minutes=n)) for n, d in enumerate(days)
    ]
    odd = [s for s in made_up if not s.plausible]
    found = decide([*good, *odd], RETENTION)
    assert {s.name for s in good} <= found.keep
    assert found.odd == {s.name for s in odd}
    assert not found.odd & found.forget


@pytest.mark.parametrize(
    ("host", "age", "expected"),
    [
        ("backup", timedelta(minutes=1), False),
        ("backup", DEAD_AFTER + timedelta(seconds=1), True),
        ("vault-pruner", timedelta(0), True),
        ("backup", timedelta(minutes=-5), False),
    ],
    ids=["a writer at work", "a writer that was killed", "an earlier pruner", "a clock behind"],
)
def test_a_lock_is_dead_by_when_it_came(host: str, age: timedelta, expected: bool) -> None:
    assert dead(host, START - age, START, "vault-pruner") is expected
