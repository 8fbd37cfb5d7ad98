"""The drill on its schedule: when it counts as missed, and what it makes of what came back."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from images.backup.keeper.proving import drill, trial
from images.backup.keeper.sources.staging import RoomError, Staging
from images.backup.keeper.sources.vault import VaultError

DAILY = "0 4 * * *"
TABLES = {"tracking": {"tracking.runs": {"rows": 3, "digest": "17"}}}
OBJECTS: dict[str, Any] = {
    "snapshot": "ab" * 32,
    "objects": 4,
    "different": 0,
    "faults": [],
    "databases": TABLES,
}


def record(
    started: str | None, *, passed: bool = True, since: str = "2026-01-01T00:00:00+00:00"
) -> dict[str, Any]:
    run: dict[str, Any] = {
        "started": started,
        "passed": passed,
        "objects": OBJECTS,
        "databases": TABLES,
        "faults": [],
    }
    return {"schema": trial.SCHEMA, "since": since, "run": run if started else None}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("started", "now", "state"),
    [
        ("2026-01-10T04:00:01+00:00", "2026-01-10T12:00", "passed"),
        ("2026-01-10T04:00:01+00:00", "2026-01-11T12:00", "passed"),
        ("2026-01-10T04:00:01+00:00", "2026-01-12T03:59", "passed"),
        ("2026-01-10T04:00:01+00:00", "2026-01-12T04:16", "stale"),
        ("2026-01-10T09:00:00+00:00", "2026-01-12T04:16", "stale"),
        ("2026-01-11T09:00:00+00:00", "2026-01-12T04:16", "passed"),
    ],
)
def test_a_drill_is_stale_when_two_did_not_come(started: str, now: str, state: str) -> None:
    assert trial.state(record(started), DAILY, at(now)) == state


def test_a_failed_drill_stays_failed_until_the_next() -> None:
    found = record("2026-01-10T04:00:01+00:00", passed=False)
    assert trial.state(found, DAILY, at("2026-01-10T12:00")) == "failed"


@pytest.mark.parametrize(("now", "state"), [("2026-01-10T12:00", "waiting"), ("2026-01-11T04:16", "stale")])
def test_a_new_service_waits_for_the_first_drill_and_no_longer(now: str, state: str) -> None:
    assert trial.state(record(None, since="2026-01-10T05:00:00+00:00"), DAILY, at(now)) == state


def test_a_wrong_password_is_the_fault_that_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PLACE", tmp_path)
    monkeypatch.setattr(trial, "RECORD", tmp_path / "state" / "drill.json")
    monkeypatch.setattr(trial, "WORK", tmp_path / "work")

    def refuse(*_: object) -> None:
        raise VaultError("restic snapshots ended with 12: wrong password or no key found")

    monkeypatch.setattr(drill, "drill", refuse)
    trial.begin()
    found = trial.run()
    assert trial.read() == found
    assert found["run"]["passed"] is False
    assert "wrong password" in trial.describe(found, "failed")
    assert not (tmp_path / "work").exists()


def test_a_snapshot_that_would_fill_the_engine_s_disk_is_not_restored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Staging, "free", lambda self: 3 * 2**30)
    trial._check_room(2 * 2**30)
    with pytest.raises(RoomError, match="make room"):
        trial._check_room(2 * 2**30 + 1)


def test_what_a_killed_drill_left_is_gone_when_the_service_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "RECORD", tmp_path / "state" / "drill.json")
    monkeypatch.setattr(trial, "WORK", tmp_path / "work")
    (tmp_path / "work" / "server").mkdir(parents=True)
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "work")}
    left = [
        subprocess.Popen(["sleep", "60"], env=environment),
        subprocess.Popen(["sh", "-c", "sleep 60; :", str(tmp_path / "work" / "repository")]),
        subprocess.Popen(["sh", "-c", "trap '' QUIT; while sleep 0.1; do :; done"], env=environment),
    ]
    other = subprocess.Popen(["sleep", "60"])
    try:
        # Each is waited for: else one that has ended would still be listed.
        waiting = [threading.Thread(target=process.wait) for process in left]
        for thread in waiting:
            thread.start()
        trial.begin()
        for thread in waiting:
            thread.join(10)
        assert [process.returncode is None for process in left] == [False, False, False]
        assert other.poll() is None
        assert not (tmp_path / "work").exists()
    finally:
        for process in (*left, other):
            process.kill()
        other.wait()


def test_a_drill_that_replayed_the_log_says_until_when() -> None:
    found = record("2026-01-10T04:00:01+00:00")
    found["run"]["log"] = {"tables": 2, "until": "2026-01-10T03:59:58+00:00"}
    assert "the rows of 2 tables, until 2026-01-10T03:59:58+00:00" in trial.describe(found, "passed")
