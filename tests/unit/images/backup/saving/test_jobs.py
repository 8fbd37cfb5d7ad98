"""Several jobs of the backup: their folders in staging, their runs one after the other, and their states."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from images.backup.keeper.core import status
from images.backup.keeper.core.objects import Listed
from images.backup.keeper.core.settings import Job, Place, Settings
from images.backup.keeper.saving import jobs, run
from images.backup.keeper.sources import store
from images.backup.keeper.sources.staging import Staging

NAMES = ("often", "rare")
OFTEN, RARE = "*/5 * * * *", "0 2 * * *"
MOMENT = datetime(2026, 2, 2, 10, 10, tzinfo=UTC)
OBJECT = Listed("datasets", "a", 4, "e", "2026-01-31T00:00:00+00:00")


def fetched(root: Path, job: str) -> Staging:
    """A job's staging with one object in it."""
    staging = Staging(root, job)
    index = staging.prepare(NAMES)
    place = staging.snapshot / OBJECT.file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("four")
    index.add([OBJECT])
    index.record(OBJECT, "0f", {"ContentType": "x"})
    index.close()
    return staging


# -- staging -------------------------------------------------------------------------------------------------


def test_each_job_finds_its_own_copies_at_the_place_that_all_snapshots_have(tmp_path: Path) -> None:
    first = fetched(tmp_path, "often")
    Staging(tmp_path, "rare").prepare(NAMES).close()
    assert not (first.snapshot / OBJECT.file).exists()
    index = Staging(tmp_path, "often").prepare(NAMES)
    assert (first.snapshot / OBJECT.file).read_text() == "four"
    assert index.size_of(OBJECT.file) == 4
    index.close()


@pytest.mark.parametrize("left", ["moved away", "marked"])
def test_a_run_that_was_killed_while_folders_were_moved_loses_no_copy(tmp_path: Path, left: str) -> None:
    first = fetched(tmp_path, "often")
    (tmp_path / "snapshot").rename(tmp_path / "jobs" / "often" / "snapshot")
    if left == "marked":
        (tmp_path / "in-place").write_text("rare\n")
    for job in ("rare", "often"):
        Staging(tmp_path, job).prepare(NAMES).close()
    assert (first.snapshot / OBJECT.file).read_text() == "four"


def test_the_first_job_takes_over_what_a_release_with_one_job_has_left(tmp_path: Path) -> None:
    fetched(tmp_path, "often")
    for name in ("index.sqlite", "in-place"):
        (tmp_path / "jobs" / "often" / name).replace(tmp_path / name) if name != "in-place" else (
            tmp_path / name
        ).unlink()
    index = Staging(tmp_path, "everything").prepare(["everything"])
    assert index.size_of(OBJECT.file) == 4
    assert (tmp_path / "snapshot" / OBJECT.file).read_text() == "four"
    index.close()


def test_what_another_job_has_fetched_is_not_fetched_again_nor_kept_twice(tmp_path: Path) -> None:
    fetched(tmp_path, "often")
    other = Staging(tmp_path, "rare")
    index = other.prepare(NAMES)
    index.add([OBJECT])
    before = other.used()
    assert other.borrow(index) == 1
    assert list(index.missing()) == []
    (saved,) = index.saved()
    assert (saved.sha256, saved.headers) == ("0f", {"ContentType": "x"})
    assert other.used() <= before + 64 * 1024  # what SQLite writes
    inodes = {path.stat().st_ino for path in tmp_path.rglob(Path(OBJECT.file).name)}
    assert len(inodes) == 1
    index.close()


def test_the_copies_of_a_job_that_is_declared_no_more_go(tmp_path: Path) -> None:
    fetched(tmp_path, "gone")
    Staging(tmp_path, "rare").prepare(NAMES).close()
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {"rare"}


# -- states --------------------------------------------------------------------------------------------------


def entry(result: str, started: str = "2026-02-02T10:05:00+00:00", **more: Any) -> dict[str, Any]:
    done = status.Run(started=started, finished=started, reason="no room", **more)
    done.result = result  # type: ignore[assignment]
    return status.entry(done)


def report(**entries: dict[str, Any]) -> dict[str, Any]:
    found = {"schema": status.SCHEMA, "jobs": entries}
    return status.report(found, {"often": OFTEN, "rare": RARE}, MOMENT)


@pytest.mark.parametrize(
    ("often", "rare", "expected"),
    [
        ("ok", "ok", "ok"), ("ok", "partial", "partial"), ("failed", "partial", "failed"),
        ("ok", "failed", "failed"),
    ],
)  # fmt: skip
def test_all_jobs_together_are_as_the_worst_of_them(often: str, rare: str, expected: str) -> None:
    found = report(often=entry(often), rare=entry(rare))
    assert found["state"] == expected
    assert [job["state"] for job in found["jobs"].values()] == [often, rare]


def test_the_job_that_fails_is_named() -> None:
    found = report(often=entry("ok"), rare=entry("failed"))
    assert " | rare: failed: no room" in found["text"]


def test_each_job_is_late_by_its_own_schedule_and_the_one_it_waits_for_is_named() -> None:
    hours_ago = "2026-02-02T04:00:00+00:00"
    running = {**entry("ok", hours_ago), "running_since": hours_ago}
    found = report(often=entry("ok", hours_ago), rare=running)
    assert [job["state"] for job in found["jobs"].values()] == ["late", "ok"]
    assert f"rare has been running since {hours_ago}" in found["jobs"]["often"]["text"]


def test_a_job_without_a_run_keeps_the_whole_from_being_well() -> None:
    assert report(often=entry("ok"))["state"] == "none"


def test_an_entry_of_a_job_that_is_declared_no_more_goes() -> None:
    found = status.with_entry({"jobs": {"gone": {}, "rare": {}}}, "often", entry("ok"), NAMES)
    assert list(found["jobs"]) == ["often", "rare"]


# -- runs ----------------------------------------------------------------------------------------------------


class Lab:
    """Runs are made up; `order` is how they began and ended."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.order: list[str] = []
        self.results: dict[str, str] = {}
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        made = Settings(Place("https://store"), {}, tuple(Job(name, OFTEN) for name in NAMES))
        monkeypatch.setattr(jobs, "load", lambda: made)
        monkeypatch.setattr(jobs, "LOCK", folder / "lock")
        self.status = folder / "status.json"
        monkeypatch.setattr(jobs, "STATUS", self.status)
        monkeypatch.setattr(store, "client", lambda *_: None)
        monkeypatch.setattr(run, "run", self.run)

    def run(self, _settings: Settings, staging: Staging, *_: object, **__: object) -> status.Run:
        self.order.append(f"{staging.job} begins")
        done = status.Run(started=status.now())
        self.begun.set()
        assert self.go_on.wait(10)
        self.order.append(f"{staging.job} ends")
        done.finished, done.result = status.now(), self.results.get(staging.job, "ok")  # type: ignore[assignment]
        return done

    def states(self) -> dict[str, str]:
        return {name: job["state"] for name, job in jobs.report()["jobs"].items()}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


def test_a_run_of_all_runs_each_job_and_ends_with_the_worst_code(lab: Lab) -> None:
    lab.results = {"often": "failed", "rare": "partial"}
    assert jobs.run([], thorough=True) == 1
    assert lab.order == ["often begins", "often ends", "rare begins", "rare ends"]
    assert lab.states() == {"often": "failed", "rare": "partial"}
    lab.results = {"rare": "partial"}
    assert jobs.run([], thorough=True) == 3


def test_a_job_that_runs_alone_leaves_the_others_state_as_it_was(lab: Lab) -> None:
    assert jobs.run(["rare"], thorough=True) == 0
    assert lab.states() == {"often": "none", "rare": "ok"}


def test_an_unknown_job_is_refused_with_those_that_there_are(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert jobs.run(["rae"], thorough=True) == 2
    assert "no job rae; fix: one of often, rare" in capsys.readouterr().err
    assert lab.order == []


def waiting(lab: Lab, name: str, second: str, *, thorough: bool) -> list[str]:
    """`second` asks for its turn while `name` runs; how runs began and ended."""
    lab.go_on.clear()
    first = threading.Thread(target=jobs.one, args=(name,), kwargs={"thorough": True})
    first.start()
    assert lab.begun.wait(10)
    later = threading.Thread(target=jobs.one, args=(second,), kwargs={"thorough": thorough})
    later.start()
    later.join(0.3)
    assert later.is_alive()
    lab.go_on.set()
    for thread in (first, later):
        thread.join(10)
    return lab.order


def test_two_jobs_at_once_wait_for_each_other_and_none_is_lost(lab: Lab) -> None:
    assert waiting(lab, "rare", "often", thorough=False) == [
        "rare begins", "rare ends", "often begins", "often ends",
    ]  # fmt: skip
    assert lab.states() == {"often": "ok", "rare": "ok"}


def test_a_scheduled_run_is_not_made_when_its_job_was_run_while_it_waited(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(f"2026-02-02T10:{n:02}:00+00:00" for n in range(60))
    monkeypatch.setattr(status, "now", lambda: next(clock))
    asked = status.now()
    assert jobs.one("rare", thorough=True) == 0
    before = json.loads(lab.status.read_text())
    monkeypatch.setattr(status, "now", lambda: asked)
    assert jobs.one("rare", thorough=False) == 0
    assert lab.order == ["rare begins", "rare ends"]
    assert json.loads(lab.status.read_text()) == before
