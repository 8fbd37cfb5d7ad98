"""The front door: what the metrics say becomes a status, and what nobody knows is never healthy."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from images.home.door import figures, told
from images.home.door import jobs as counting
from images.home.door.reading import Heard, status
from images.home.door.settings import Stack
from images.home.door.source import Answer, Source
from operations.front import page
from operations.front.told import Told, newer
from operations.images import contexts
from operations.status_document import LastAudit, Status

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
STACK = Stack(
    "dev", (("compute-node1", "compute"), ("backup", "backup"), ("vault", "vault"), ("db-setup", "db-setup")),
    {"tracking": "https://127.0.0.1:5443"}, "", "",
)  # fmt: skip
RULES = Answer('{"data": {"groups": []}}', NOW.timestamp())


def heard(*rows: tuple[str, float, dict[str, str]], fault: str = "", told: Told | None = None) -> Heard:
    result = [{"metric": labels | {"what": what}, "value": [0, str(v)]} for what, v, labels in rows]
    text = json.dumps({"data": {"result": result}})
    return Heard(Answer(text, NOW.timestamp() - 90, fault), RULES, told or Told())


def words(found: Status) -> dict[str, tuple[bool, str]]:
    return {row.name: (row.healthy, row.state) for row in found.services}


WELL = (
    ("up", 1.0, {"service": "compute-node1"}),
    ("age", 20.0, {"file": "/readings/backup/backup.prom"}),
    ("backup", 1.0, {"exported_job": "nightly", "state": "ok"}),
    ("backup-finished", NOW.timestamp() - 300, {"exported_job": "nightly"}),
)


def test_services_that_are_seen_are_well_and_jobs_that_ended_are_left_out() -> None:
    found = status(STACK, heard(*WELL), NOW)
    assert found.healthy
    assert set(words(found)) == {"compute-node1", "backup", "vault"}
    assert "5 min ago" in words(found)["vault"][1]


@pytest.mark.parametrize(
    ("row", "name", "state"),
    [
        (("up", 0.0, {"service": "compute-node1"}), "compute-node1", "does not answer"),
        (("age", 900.0, {"file": "/readings/backup/backup.prom"}), "backup", "silent"),
        (("backup", 1.0, {"exported_job": "nightly", "state": "failed"}), "vault", "not known"),
    ],
)
def test_a_service_that_is_not_well_says_so(
    row: tuple[str, float, dict[str, str]], name: str, state: str
) -> None:
    others = [one for one in WELL if (one[0], *one[2]) != (row[0], *row[2])]
    found = status(STACK, heard(row, *others), NOW)
    assert not found.healthy
    assert words(found)[name][0] is False
    assert words(found)[name][1].startswith(state)


def test_without_an_answer_nothing_is_healthy_and_the_reason_has_an_age() -> None:
    found = status(STACK, heard(*WELL, fault="HTTP 503"), NOW)
    assert {healthy for healthy, _ in words(found).values()} == {False}
    assert "HTTP 503" in found.unknown["services"]
    assert "last answer 90 s ago" in found.unknown["services"]
    shown = page.render(found, NOW)
    assert "cannot be judged" in shown
    assert "HTTP 503" in shown


@pytest.mark.parametrize("text", ["", "[]", '{"data": 1}', '{"data": {"result": [{"metric": {}}]}}'])
def test_an_answer_that_makes_no_sense_is_not_an_answer(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        figures.read(text)


def test_names_that_others_chose_do_not_become_markup() -> None:
    evil = '"><script>alert(1)</script>'
    rows = [("backup", 1.0, {"exported_job": evil, "state": evil}),
            ("backup-finished", 1.0, {"exported_job": evil}),
            ("refused", 1.0, {"chain": evil}), ("dropped", 1.0, {"way": evil, "role": evil})]  # fmt: skip
    shown = page.render(status(STACK, heard(*WELL[:2], *rows), NOW), NOW)
    assert "<script" not in shown
    assert "alert(1)" in shown


# Each in the form in which a service that was taken over could leave it.
ABSURD: list[tuple[str, float, dict[str, str]]] = [
    ("jobs", math.nan, {}),
    ("jobs-waiting", math.inf, {}),
    ("refused", math.nan, {"chain": "input"}),
    ("refused", math.inf, {"chain": "input"}),
    ("refused", 1e300, {"chain": "input"}),
    ("refused", 1.0, {}),
    ("dropped", 1.0, {"way": "from"}),
    ("disk-free", math.inf, {}),
    ("backup-finished", 1e300, {"exported_job": "nightly"}),
    ("backup-finished", -1e14, {"exported_job": "nightly"}),
    ("backup-objects", math.inf, {"exported_job": "nightly"}),
    ("backup", 1.0, {}),
    ("drill", 1.0, {}),
    ("drill-finished", 1e300, {}),
    ("server", 0.0, {"server": "compute-node1"}),
]


@pytest.mark.parametrize("absurd", ABSURD)
def test_a_figure_that_cannot_be_is_none_and_the_others_are_shown(
    absurd: tuple[str, float, dict[str, str]],
) -> None:
    one = heard(absurd, *WELL, ("drill", 1.0, {"state": "passed"}), ("jobs", 1.0, {}), ("jobs-age", 3.0, {}))
    found = status(STACK, one, NOW)
    assert found.healthy
    assert found.last_backup is not None
    assert "1 job runs now" in page.render(found, NOW, None, page.Live(15, "", counting.now(one.figures)))


def counted(jobs: float, groups: float, age: float) -> list[tuple[str, float, dict[str, str]]]:
    return [("jobs", jobs, {}), ("jobs-waiting", groups, {}), ("jobs-age", age, {})]


@pytest.mark.parametrize(
    ("jobs", "groups", "words"),
    [
        (0, 0, "No job runs or waits now, as Ray counted 20 s ago."),
        (1, 0, "1 job runs now, as Ray counted 20 s ago."),
        (2, 0, "2 jobs run now, as Ray counted 20 s ago."),
        (2, 1, "2 jobs now, of which 1 group of ranks waits for room, as Ray counted 20 s ago."),
    ],
)
def test_the_number_of_jobs_is_that_of_now(jobs: int, groups: int, words: str) -> None:
    rows = counted(jobs, groups, 20.4)
    answer = heard(*rows).figures
    assert counting.now(answer) == words
    shown = page.render(status(STACK, heard(*WELL, *rows), NOW), NOW, None, page.Live(15, "", words))
    assert words in shown
    assert "Which ones: this page has no token" in shown


@pytest.mark.parametrize("left_out", ["jobs", "jobs-age", "all"])
def test_a_head_that_does_not_tell_is_not_taken_for_an_idle_one(left_out: str) -> None:
    rows = [row for row in counted(0, 0, 20) if left_out not in (row[0], "all")]
    assert counting.now(heard(*rows).figures) == ""


def test_an_answer_of_before_says_nothing_of_the_jobs_of_now() -> None:
    rows = counted(1, 0, 20)
    assert counting.now(heard(*rows, fault="HTTP 503").figures) == ""
    assert counting.now(Answer("[]", NOW.timestamp())) == ""


def test_a_source_that_hangs_holds_nobody_up_and_is_asked_once() -> None:
    release, asked = threading.Event(), []

    def hang() -> str:
        asked.append(1)
        release.wait(60)
        return "late"

    source = Source(hang)
    for _ in range(3):
        source.begin()
        assert source.answer(time.monotonic() + 0.05).fault == "no answer in time"
    assert len(asked) == 1
    release.set()
    assert source.answer(time.monotonic() + 60).text == "late"


def test_of_two_audits_the_later_one_counts(tmp_path: Path) -> None:
    def audit(at: str) -> Told:
        return Told(last_audit=LastAudit(result="passed", at=at, text="", failed=[]))

    early, late = audit("2026-11-28T09:00:00+00:00"), audit("2026-11-28T12:00:00+02:00")
    assert newer(late, early) == newer(early, late) == late
    for one in (late, early):
        told.take(one.model_dump_json(by_alias=True).encode(), tmp_path)
    assert told.read(tmp_path) == late


@pytest.mark.parametrize("moment", ["soon", "2026-11-28T12:00:00", "9999-01-01T00:00:00+00:00"])
def test_a_time_that_the_page_could_not_show_is_refused(moment: str, tmp_path: Path) -> None:
    job = {"name": "a", "id": "a", "state": "running", "ranks": 1, "each": "", "waits_for": ""}
    for told_of in ({"jobs_at": moment}, {"jobs": [{**job, "submitted": moment}]}):
        with pytest.raises(ValueError, match=r"."):
            told.take(json.dumps(told_of).encode(), tmp_path)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"nodes": 1}', b'{"more": 1}', b"x" * (1 << 20)])
def test_a_document_that_is_none_is_refused_and_changes_nothing(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        told.take(raw, tmp_path)
    assert told.read(tmp_path) == Told()


def test_the_image_has_all_that_the_page_imports() -> None:
    fresh = contexts.assemble("home")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-s", "-B", "-c", "import door.server, door.health, sys; "
             "print([m for m in sys.modules if m.partition('.')[0] in ('rich', 'docker', 'pulumi')])"],
            env={"PYTHONPATH": str(fresh)}, cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        contexts.discard("home", fresh)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
