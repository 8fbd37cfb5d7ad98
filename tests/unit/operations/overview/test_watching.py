"""`--watch`: what is drawn, what is said of a change, and how it ends."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from docker.errors import DockerException

from operations.overview import watching
from operations.status_document import Job, Service, Status


def status(state: str = "healthy", **changes: Any) -> Status:
    row = Service(
        name="vault", role="vault", container="c", addresses={}, healthy=state == "healthy", state=state
    )
    fields: dict[str, Any] = {
        "schema": "aidc.status/1", "stack": "dev", "healthy": state == "healthy", "services": [row],
        "endpoints": {}, "last_backup": None, "remark": None, "jobs": [],
    }  # fmt: skip
    return Status(**{**fields, **changes})


def job(state: str) -> Job:
    return Job(name="a", id="a", state=state, ranks=1, each="1 CPU", submitted=None, waits_for="")


def watched(*looks: Status | Exception, as_json: bool = False, out: io.StringIO) -> Status | None:
    """Each look in turn, then Ctrl-C."""
    waiting = list(looks)

    def look() -> Status:
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def rest(_seconds: float) -> None:
        if not waiting:
            raise KeyboardInterrupt

    return watching.watch(look, lambda found: print("whole", file=out), as_json, out, rest=rest)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_the_page_comes_once_and_then_a_line_for_each_change() -> None:
    out = io.StringIO()
    last = watched(status(), status(), status("unhealthy"), out=out)
    assert out.getvalue().startswith("whole\n")
    (line,) = out.getvalue().splitlines()[1:]
    assert line.endswith("service vault: healthy → unhealthy")
    assert last == status("unhealthy")


def test_as_json_each_look_is_a_line() -> None:
    out = io.StringIO()
    watched(status(), status("unhealthy"), as_json=True, out=out)
    assert [json.loads(line)["healthy"] for line in out.getvalue().splitlines()] == [True, False]


def test_an_engine_that_is_away_for_a_while_does_not_end_it() -> None:
    out = io.StringIO()
    last = watched(status(), DockerException("gone\nmore"), status("unhealthy"), out=out)
    assert "the engine does not answer: gone\n" in out.getvalue()
    assert last == status("unhealthy")


def test_a_terminal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    watched(status(), status(), out=out)
    assert out.getvalue().startswith(watching.ENTER)
    assert out.getvalue().endswith(watching.LEAVE)
    assert out.getvalue().count("1 of 1 healthy") == 1, "what has not changed is not drawn again"


def test_ctrl_c_before_the_first_status_ends_it_too() -> None:
    out = Terminal()

    def interrupted() -> Status:
        raise KeyboardInterrupt

    assert watching.watch(interrupted, lambda _: None, False, out) is None
    assert out.getvalue().endswith(watching.LEAVE)


def test_ctrl_c_while_it_draws_keeps_what_was_seen() -> None:
    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            raise KeyboardInterrupt

    assert watching.watch(status, lambda _: None, True, Interrupting()) == status()


@pytest.mark.parametrize(
    ("before", "after", "drawn"),
    [
        (["a", "b"], ["a", "b"], ""),
        (["a", "b"], ["a", "c"], "\x1b[2;1H\x1b[2Kc"),
        (["a", "b"], ["a"], "\x1b[2;1H\x1b[2K"),
        ([], ["a"], "\x1b[1;1H\x1b[2Ka"),
    ],
)
def test_only_lines_that_differ_are_written(before: list[str], after: list[str], drawn: str) -> None:
    assert watching.redrawn(before, after) == drawn


def test_a_low_window_says_what_it_leaves_out() -> None:
    assert watching.clipped(["a", "b", "c"], 3) == ["a", "b", "c"]
    assert watching.clipped(["a", "b", "c"], 2) == ["a", "… 2 more lines; make the window higher"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda: status(jobs=[job("running")]), "job a: new → running"),
        (lambda: status(services=[]), "service vault: healthy → gone"),
        (lambda: status(remark="Pulumi is working on it"), "remark: none → Pulumi is working on it"),
    ],
)
def test_every_change_has_a_line(change: Callable[[], Status], line: str) -> None:
    assert watching.changes(watching.facts(status()), watching.facts(change())) == [line]
