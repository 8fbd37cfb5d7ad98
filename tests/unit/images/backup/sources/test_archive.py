"""The archive in a snapshot: the moment is exact or says what is not, and no key leaves its folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from images.backup.keeper.core import series, status
from images.backup.keeper.core.objects import Listed, Saved
from images.backup.keeper.core.progress import Progress
from images.backup.keeper.core.settings import Job, Place, Settings
from images.backup.keeper.proving import drill
from images.backup.keeper.saving import run
from images.backup.keeper.sources import archive, archived, databases, dumps, store
from images.backup.keeper.sources.databases import DatabaseError
from images.backup.keeper.sources.staging import Staging
from tests.unit.images.backup.sources.test_databases import JOB, settings, staging

__all__ = ["staging"]
QUIET, WRITING = "740:740:", "740:742:740"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "QUIET_TRIES", 2)
    monkeypatch.setattr(archive, "ARCHIVED_WITHIN", 0)


def make(staging: Staging) -> tuple[status.Run, dict[str, Any]]:
    done = status.Run(started=status.now())
    dumps.make(settings("tracking"), staging, done, lambda _text: None)
    return done, json.loads((staging.snapshot / archived.MOMENT).read_text())


def test_a_moment_without_writers_is_compared_whole(staging: Staging) -> None:
    _, moment = make(staging)
    assert moment["lsn"] == "0/3000090"
    assert moment["time"] == "2026-11-28T11:30:00.5+00:00"
    assert moment["facts"] == {"tracking": {"tracking.runs": {"rows": 1}}}
    assert moment["changed"] == {}


@pytest.mark.parametrize(("before", "after"), [(WRITING, WRITING), (QUIET, "740:741:")])
def test_while_something_writes_the_tables_that_changed_are_named(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    monkeypatch.setenv("SEEN", before)
    monkeypatch.setenv("SEEN_AFTER", after)
    looks = iter(['{"a": {"rows": 1}, "b": {"rows": 1}}', '{"a": {"rows": 2}, "b": {"rows": 1}}'])
    monkeypatch.setattr(databases.View, "facts", lambda _view: next(looks))
    _, moment = make(staging)
    assert moment["changed"] == {"tracking": ["a"]}


def test_a_log_that_is_not_archived_is_reported_with_its_segment(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["000000010000000000000007\n", "000000010000000000000005|10:00|10:05\n"])
    monkeypatch.setattr(databases, "ask", lambda *_queries: next(answers))
    with pytest.raises(
        DatabaseError, match="00000007 was not archived .* 00000005, at 10:00".replace("0000", ".*")
    ):
        archive.switch()


def test_a_log_that_is_archived_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["000000010000000000000007\n", "000000010000000000000007||\n"])
    monkeypatch.setattr(databases, "ask", lambda *_queries: next(answers))
    assert archive.switch()


def test_a_database_at_rest_writes_a_commit_before_its_log_is_archived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replay up to a time needs one that is later."""
    asked: list[str] = []

    def answer(*queries: str) -> str:
        asked.extend(queries)
        return "7\n000000010000000000000007\n" if len(queries) > 1 else "000000010000000000000007||\n"

    monkeypatch.setattr(databases, "ask", answer)
    assert archive.switch()
    assert "pg_current_xact_id" in asked[0]
    assert "pg_switch_wal" in asked[1]


def copied(folder: Path, key: str, bucket: str = archived.BUCKET) -> Saved:
    listed = Listed(bucket, key, 3, "e", "2026-01-31T00:00:00+00:00")
    path = folder / listed.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"log")
    return Saved(listed, listed.file, "0")


def test_the_archive_gets_its_own_names_back(tmp_path: Path) -> None:
    one = copied(tmp_path, "repository/archive/aidc/17-1/00000001/segment-1.zst")
    other = copied(tmp_path, "repository/a", bucket="datasets")
    assert archived.lay_out([one, other], tmp_path, tmp_path / "to") == (1, [])
    assert (tmp_path / "to" / one.listed.key).read_bytes() == b"log"


@pytest.mark.parametrize(
    "key", ["repository/../../etc/x", "repository//x", "repository/a b", "repository/x/"]
)
def test_a_key_that_the_archive_would_not_use_makes_no_file(tmp_path: Path, key: str) -> None:
    count, faults = archived.lay_out([copied(tmp_path, key)], tmp_path, tmp_path / "to")
    assert count == 0
    assert "not a name that the archive would use" in faults[0]
    assert not (tmp_path / "to").exists()


def test_an_object_that_is_not_in_the_snapshot_is_named(tmp_path: Path) -> None:
    one = copied(tmp_path, "repository/segment-1")
    (tmp_path / str(one.file)).unlink()
    assert archived.lay_out([one], tmp_path, tmp_path / "to") == (
        0, ["database/repository/segment-1: missing in the snapshot"]
    )  # fmt: skip


SNAPSHOTS = [{"id": str(hour), "time": f"2026-01-31T0{hour}:00:00.5Z"} for hour in (3, 1, 2)]


@pytest.mark.parametrize(
    ("at", "chosen"), [("2026-01-31T01:30:00+00:00", "2"), ("2026-01-31T09:00:00+00:00", "3")]
)
def test_the_log_of_a_time_is_in_the_snapshot_after_it(at: str, chosen: str) -> None:
    assert drill.following(SNAPSHOTS, at)["id"] == chosen


def with_log(identifier: str, taken: str, until: str = "", state: str = "complete") -> dict[str, Any]:
    numbers = {"log_until": until} if until else {}
    tags = [state, *series.tags("all", ["log"], **numbers)]
    return {"id": identifier, "time": f"2026-01-31T{taken}Z", "tags": tags}


def test_a_snapshot_of_a_log_that_was_cut_off_does_not_reach_its_own_time() -> None:
    cut_off = with_log("cut off", "02:00:00.5", state="partial")
    complete = with_log("complete", "03:00:00.5", "2026-01-31T02:59:50+00:00")
    assert drill.following([cut_off, complete], "2026-01-31T01:30:00+00:00")["id"] == "complete"


def test_a_time_between_the_end_of_the_log_and_its_snapshot_is_in_the_next_one() -> None:
    first = with_log("first", "02:00:00.5", "2026-01-31T01:59:30+00:00")
    second = with_log("second", "02:05:00.5", "2026-01-31T02:04:30+00:00")
    assert drill.following([first, second], "2026-01-31T01:59:20+00:00")["id"] == "first"
    assert drill.following([first, second], "2026-01-31T01:59:40+00:00")["id"] == "second"


@pytest.mark.parametrize("said", ["soon", "2999-01-01T00:00:00+00:00"])
def test_a_log_is_not_believed_to_reach_further_than_its_snapshot(said: str) -> None:
    one = with_log("one", "02:00:00.5", said)
    assert (series.reach(one) or series.moment_of(one)) <= series.moment_of(one)


def test_dumps_are_made_again_when_they_are_old_missing_or_of_the_future(staging: Staging) -> None:
    known = settings("tracking")
    assert dumps.due(known, staging)
    done, _ = make(staging)
    dumps.keep(staging, done)
    assert not dumps.due(known, staging)
    assert dumps.due(settings("tracking", "other"), staging)
    for hours in (-1.1, 1.1):
        done.started = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")
        dumps.keep(staging, done)
        assert dumps.due(known, staging)


def test_dumps_of_a_server_that_was_replaced_are_made_again(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = make(staging)
    monkeypatch.setattr(databases, "server", lambda: "7713712699435364373|00000001")
    dumps.keep(staging, done)
    assert not dumps.due(settings("tracking"), staging)
    monkeypatch.setattr(databases, "server", lambda: "7713712699435364373|00000002")
    assert dumps.due(settings("tracking"), staging)


def test_a_run_with_an_unreadable_database_keeps_the_next_one_thorough(staging: Staging) -> None:
    done, _ = make(staging)
    dumps.keep(staging, done)
    done.unreadable_databases.append({"name": "tracking", "reason": "gone"})
    dumps.keep(staging, done)
    assert dumps.due(settings("tracking"), staging)


def test_kept_dumps_are_those_of_the_run_before(staging: Staging) -> None:
    done, _ = make(staging)
    dumps.keep(staging, done)
    later = status.Run(started=status.now())
    (dump,) = dumps.kept(staging, later)
    assert (dump.name, dump.file, dump.size) == ("tracking", "databases/tracking.dump", 5)
    assert later.databases["tracking"]["taken"] == done.started


@pytest.mark.parametrize(("changes", "listings"), [(0, 1), (1, 2), (9, 3)])
def test_the_store_is_listed_again_where_a_base_backup_ended_meanwhile(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, changes: int, listings: int
) -> None:
    """The catalogue is read before and after; each of the first `changes` listings finds another one."""
    counted = 0

    def listing(_s3: Any, bucket: str, prefix: str = "") -> Any:
        nonlocal counted
        if not prefix:
            counted += 1
        yield [Listed(bucket, prefix, 0, f"e{min(counted, changes)}", "x")] if prefix else []

    monkeypatch.setattr(store, "listing", listing)
    job = Job(JOB, "* * * * *", (archived.BUCKET,), ("tracking",), log=True)
    known = Settings(Place("https://store"), {"staging": 2**40}, (job,))
    done = status.Run(started=status.now())
    index = staging.prepare()
    run._collect(run.Work(known, job, staging, None, index), done, run.Course(print, Progress()))
    index.close()
    assert (counted, bool(done.warnings)) == (listings, changes == 9)
