"""Reading an event log while it is written: late, cut off, unknown to this SDK, and with a failing reader."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from pulumi.automation.events import EngineEvent

from operations.stack.events import EventLog, Follower, Tail, parse

LINE = json.dumps({"sequence": 7, "timestamp": 1, "stdoutEvent": {"message": "é", "color": "never"}})


def test_a_log_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert log.read() == []
    log.path.write_text(f"{LINE}\n")
    assert [event.sequence for event in log.read()] == [7]
    assert log.read() == []


def test_an_event_cut_off_at_any_byte_waits_for_its_end(tmp_path: Path) -> None:
    whole = f"{LINE}\n{LINE}\n".encode()
    for cut in range(len(whole)):
        log = EventLog(tmp_path / "events")
        log.path.write_bytes(whole[:cut])
        before = log.read()
        log.path.write_bytes(whole)
        assert len(before) + len(log.read()) == 2, cut


def test_an_event_that_never_ends_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.path.write_text(f"{LINE}\n{LINE[:40]}")
    assert len(log.read()) == 1
    assert log.read() == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        "{",
        '{"resourcePreEvent": {"metadata": {"op": "teleport"}}}',
        '{"resourcePreEvent": 3}',
        '{"diagnosticEvent": [1]}',
    ],
)
def test_what_this_sdk_does_not_know_is_skipped(line: str, tmp_path: Path) -> None:
    assert parse(line.encode()) is None
    log = EventLog(tmp_path / "events")
    log.path.write_text(f"{line}\n{LINE}\n")
    assert len(log.read()) == 1


def test_events_come_while_the_log_grows_and_all_of_them_before_the_end(tmp_path: Path) -> None:
    seen: list[EngineEvent] = []
    arrived = Event()

    def on_event(event: EngineEvent) -> None:
        seen.append(event)
        arrived.set()

    log = EventLog(tmp_path / "events")
    with Follower(log, on_event), log.path.open("w") as file:
        file.write(f"{LINE}\n")
        file.flush()
        assert arrived.wait(60)
        file.write(f"{LINE}\n{LINE}\n")
        file.flush()
    assert len(seen) == 3


def failing(_event: EngineEvent) -> None:
    raise BrokenPipeError


def test_a_reader_that_fails_is_told_to_the_thread_that_waits(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.path.write_text(f"{LINE}\n")

    def within(check: Callable[[], None]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            check()
            time.sleep(0.01)
        pytest.fail("not told")

    with pytest.raises(BrokenPipeError), Follower(log, failing) as follower:
        within(follower.check)


def test_a_reader_that_fails_at_the_end_is_told_too(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    with pytest.raises(BrokenPipeError), Follower(log, failing):
        log.path.write_text(f"{LINE}\n")


def test_an_error_of_the_run_itself_is_not_replaced(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")

    def interrupted() -> None:
        log.path.write_text(f"{LINE}\n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Follower(log, failing):
        interrupted()


def test_words_of_what_waits_are_passed_on_while_it_waits(tmp_path: Path) -> None:
    words, heard = Tail(tmp_path / "waiting"), Event()
    with Follower(EventLog(tmp_path / "events"), lambda _: None, words, lambda _: heard.set()):
        words.path.write_text("backup (unhealthy)\n")
        assert heard.wait(10)
