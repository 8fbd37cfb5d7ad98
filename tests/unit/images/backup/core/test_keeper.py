"""The backup's own words: manifests that hold any key, when a run was due, what a status says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images.backup.keeper.core import objects, status
from images.backup.keeper.core.cron import due
from images.backup.keeper.core.index import Index
from images.backup.keeper.core.objects import Listed, ManifestError, Saved
from images.backup.keeper.sources.staging import RoomError, Staging

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
TAKEN = "2026-01-31T00:00:00+00:00"


def listed(key: str, size: int = 1, etag: str = "e") -> Listed:
    return Listed("datasets", key, size, etag, TAKEN)


@settings(derandomize=True, max_examples=300)
@given(st.lists(TEXTS, unique=True, max_size=20))
def test_any_set_of_keys_comes_back_from_a_manifest(keys: list[str]) -> None:
    saved = [Saved(listed(key), listed(key).file, "0f", {"Metadata": {"a": key}}) for key in keys]
    lines = list(objects.manifest(TAKEN, saved))
    assert list(objects.read(lines)) == saved
    assert all(line.isascii() and "\n" not in line for line in lines)


@settings(derandomize=True, max_examples=300)
@given(TEXTS, TEXTS)
def test_two_keys_never_share_a_file(one: str, other: str) -> None:
    assert (listed(one).file == listed(other).file) == (one == other)


def test_another_content_of_a_key_is_another_file() -> None:
    assert len({listed("a").file, listed("a", size=2).file, listed("a", etag="f").file}) == 3


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_manifest_that_was_cut_off_is_no_manifest(cut: int) -> None:
    lines = list(objects.manifest(TAKEN, [Saved(listed(k), None) for k in "abc"]))[:-cut]
    with pytest.raises(ManifestError, match="cut off"):
        list(objects.read(lines))


def test_another_file_is_no_manifest() -> None:
    with pytest.raises(ManifestError, match="no manifest"):
        list(objects.read(["{}"]))


def test_a_key_is_shown_on_one_line() -> None:
    assert objects.shown("a\nb\x1b[0m") == "a\\nb\\x1b[0m"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/30 * * * *", "2026-02-02T10:00"),
        ("15 2 * * mon-fri", "2026-02-02T02:15"),
        ("0 3 * * sun", "2026-02-01T03:00"),
        ("0 0 1 jan *", "2026-01-01T00:00"),
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("0 0 31 2 *", None),
        ("0 0 L * *", None),
    ],
)
def test_when_a_run_was_due(schedule: str, expected: str | None) -> None:
    found = due(schedule, datetime(2026, 2, 2, 10, 29, tzinfo=UTC))  # a Monday
    assert (found and found.strftime("%Y-%m-%dT%H:%M")) == expected


def finished(result: str, **more: Any) -> dict[str, Any]:
    run = status.Run(started="2026-02-02T10:00:00+00:00", finished="2026-02-02T10:01:00+00:00", **more)
    run.result = result  # type: ignore[assignment]
    return status.entry(run)


MOMENT = datetime(2026, 2, 2, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize("result", ["ok", "partial", "failed"])
def test_the_state_is_the_newest_runs_result(result: str) -> None:
    assert status.state(finished(result), "*/30 * * * *", MOMENT) == result


def test_a_run_that_did_not_come_is_late() -> None:
    assert status.state(finished("ok"), "*/30 * * * *", MOMENT + timedelta(hours=1)) == "late"


def test_a_run_is_not_late_before_its_grace_has_passed() -> None:
    moment = datetime(2026, 2, 2, 10, 44, tzinfo=UTC)
    assert status.state(finished("ok"), "*/30 * * * *", moment) == "ok"


def test_without_a_run_there_is_none() -> None:
    assert status.state(None, "*/30 * * * *", MOMENT) == "none"


def test_a_partial_run_names_what_could_not_be_read_and_counts_the_rest() -> None:
    entries = [{"bucket": "b", "key": f"k{n}", "reason": "denied"} for n in range(4)]
    document = finished("partial", unreadable=30, unreadable_objects=entries, snapshot="0123456789")
    text = status.describe(document, "partial")
    assert "30 objects could not be read: b/k0 (denied)" in text
    assert text.endswith("and 27 more")


@pytest.mark.parametrize(("used", "warned"), [(79, False), (80, True), (120, True)])
def test_a_place_that_is_nearly_full_is_told(used: int, warned: bool) -> None:
    found = status.usage_warnings({"vault": used}, {"vault": 100})
    assert bool(found) is warned


def test_a_run_that_would_not_fit_is_refused_before_it_fetches(tmp_path: Path) -> None:
    with pytest.raises(RoomError, match=r"backup\.staging_capacity"):
        Staging(tmp_path).check_room(coming=2000, capacity=1000)


def test_an_unreadable_object_keeps_its_newest_earlier_copy(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    before, now = listed("a"), listed("a", etag="new")
    index.record(before, "0f", {})
    index.begin()
    index.add([now])
    index.unreadable(now, "no key")
    (saved,) = index.saved()
    assert (saved.file, saved.unreadable) == (before.file, "no key")
    assert index.wanted(before.file)
    index.close()


def test_only_what_has_no_copy_is_missing(tmp_path: Path) -> None:
    index = Index(tmp_path / "index")
    index.add([listed("a"), listed("b")])
    index.record(listed("a"), "0f", {})
    assert list(index.missing()) == [listed("b")]
    index.close()
