"""Which snapshot a restore takes for each source, where jobs save different things."""

from __future__ import annotations

from typing import Any

import pytest

from images.backup.keeper.core import series
from images.backup.keeper.proving import drill

ALL = ("bucket/datasets", "bucket/database", "database/tracking", "database/auth", "log", "configuration")
ROWS = ("bucket/tracking", "database/tracking", "database/auth")


def snapshot(hour: str, job: str, sources: tuple[str, ...], **values: object) -> dict[str, Any]:
    numbers = {"objects": 5, "rows": 5, **values}
    tags = ["complete", *(series.tags(job, sources, **numbers) if job else ["objects=5"])]
    name = f"{job or 'earlier'}-{hour}"
    return {"id": name, "time": f"2026-01-31T{hour}:00.5Z", "tags": tags, "paths": ["/staging/snapshot"]}


EARLIER = snapshot("01:00", "", ())
FIRST = snapshot("02:00", "all", ALL)
NIGHTLY = snapshot("03:00", "datasets", ("bucket/datasets",))
SECOND = snapshot("04:00", "all", ALL)
TRACKING = snapshot("05:00", "rows", ROWS)
ONE_LEFT = snapshot("06:00", "datasets", ("bucket/datasets",), objects=0)
EVERY = (EARLIER, FIRST, NIGHTLY, SECOND, TRACKING)


def at(hour: str) -> str:
    return f"2026-01-31T{hour}:30+00:00"


def composed(snapshots: tuple[dict[str, Any], ...], *sources: str, at: str | None = None) -> list[str]:
    found = series.compose(snapshots, sources, at)
    return [str(found[source].snapshot["id"]) if source in found else "" for source in sources]


def test_each_source_comes_from_the_newest_snapshot_that_holds_it() -> None:
    assert composed(EVERY, "bucket/datasets", "database/tracking", "configuration", "bucket/raw") == [
        "all-04:00", "rows-05:00", "all-04:00", "earlier-01:00",
    ]  # fmt: skip


def test_what_no_snapshot_holds_is_left_out() -> None:
    assert composed((FIRST, NIGHTLY), "bucket/raw") == [""]


def test_a_time_takes_the_newest_until_then_over_all_jobs() -> None:
    assert composed(EVERY, "bucket/datasets", at=at("03:00")) == ["datasets-03:00"]


def test_databases_are_not_replayed_from_a_log_that_was_cut_off_before_that_time() -> None:
    cut_off = snapshot("04:00", "all", ALL, log_until="2026-01-31T03:10:00+00:00")
    dump = snapshot("03:15", "rows", ROWS)
    picks = ["database/tracking", "database/auth"]
    assert composed((FIRST, dump, cut_off), *picks, at=at("03:20")) == ["rows-03:15"] * 2


def test_databases_at_a_time_are_replayed_where_a_later_log_reaches_it() -> None:
    """The dump of 03:10 is nearer, but the log of 04:00 holds every second up to then."""
    dump = snapshot("03:10", "rows", ROWS)
    picks = ["database/tracking", "database/auth"]
    assert composed((FIRST, dump, SECOND), *picks, at=at("03:20")) == ["all-02:00"] * 2
    assert composed((FIRST, dump), *picks, at=at("03:20")) == ["rows-03:10"] * 2


def test_all_databases_are_known_to_have_their_log_or_not() -> None:
    both = ("database/tracking", "database/auth")
    assert series.with_log(series.compose((FIRST, NIGHTLY), both, None)) == FIRST
    assert series.with_log(series.compose(EVERY, both, None)) is None


@pytest.mark.parametrize(
    ("source", "changes", "emptied"),
    [
        ("bucket/datasets", {"objects": 0}, True),
        ("bucket/datasets", {"rows": 0}, False),
        ("database/tracking", {"rows": 0}, True),
        ("database/tracking", {"objects": 0}, False),
    ],
)
def test_a_stack_that_had_just_been_emptied_is_passed_over(
    source: str, changes: dict[str, int], emptied: bool
) -> None:
    newest = snapshot("07:00", "all", ALL, **changes)
    expected = SECOND if emptied else newest
    assert series.pick([SECOND, newest], source, None) == series.Pick(expected, int(emptied))
    assert series.pick([SECOND, newest], source, None, emptied=True) == series.Pick(newest)
    assert series.pick([newest], source, None) == series.Pick(newest)


def test_a_drill_restores_the_fewest_snapshots_that_give_the_newest_of_everything() -> None:
    found = drill.parts([*EVERY, ONE_LEFT], None)
    assert [(s["id"], set(sources)) for s, sources in found] == [
        ("datasets-06:00", {"bucket/datasets"}),
        ("rows-05:00", set(ROWS)),
        ("all-04:00", {"bucket/database", "log", "configuration"}),
    ]


def test_what_only_a_job_of_earlier_has_saved_is_not_drilled() -> None:
    """It gets no newer any more; a restore still finds it."""
    found = drill.parts([FIRST, NIGHTLY], None, ["datasets"])
    assert [(s["id"], sources) for s, sources in found] == [("datasets-03:00", ("bucket/datasets",))]
    assert len(drill.parts([FIRST, NIGHTLY], at("04:00"), ["datasets"])) == 2
    assert len(drill.parts([FIRST], None, ["datasets"])) == 1


def test_a_drill_of_one_job_restores_one_snapshot_with_all_that_it_holds() -> None:
    assert [(s["id"], set(sources)) for s, sources in drill.parts([EARLIER, FIRST], None)] == [
        ("all-02:00", set(ALL))
    ]
    assert drill.parts([EARLIER], None) == [(EARLIER, ())]


@pytest.mark.parametrize("name", ["\x1b[2J", "Nightly", "a" * 21, "../x"])
def test_a_tag_that_is_no_name_of_a_job_is_not_shown_as_one(name: str) -> None:
    assert series.job_of({"tags": [f"job={name}"]}) == ""
