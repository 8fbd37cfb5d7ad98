"""What the front door is told, and which pages are handed over with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.engine.client import Engine
from operations.front import handed
from operations.front.told import Told
from operations.overview import telling
from operations.status_document import LastAudit, LastBenchmark

AT = "2026-11-28T12:00:00+00:00"
TOLD = Told(
    last_audit=LastAudit(result="passed", at=AT, text="", failed=[]),
    last_benchmark=LastBenchmark(
        result="passed", at=AT, text="", run="run-1", tier="ci", verdicts={}, failed=[]
    ),
)


class Door(Engine):
    """Answers as the front door does: `answer` to what it is told; `refuses`: why it takes no page."""

    def __init__(self, answer: str | None, refuses: str = "") -> None:
        super().__init__(None)
        self.answer, self.refuses = answer, refuses
        self.told: list[Told] = []
        self.pages: dict[str, str] = {}

    def converse(
        self,
        container: str,
        command: list[str],
        said: str | bytes,
        on_line: Callable[[str], str | None],
        within: float | None = None,
    ) -> int:
        assert within is not None
        assert container == "aidc-dev-home"
        if command == ["home", "tell"]:
            self.told.append(Told.model_validate_json(said))
            if self.answer is not None:
                on_line(self.answer)
            return 0
        assert command == ["home", "take"]
        assert isinstance(said, bytes)
        line, _, page = said.partition(b"\n")
        if self.refuses:
            on_line(self.refuses)
            return 1
        self.pages[handed.header(line).name] = page.decode()
        return 0


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for name in handed.PAGES:
        (tmp_path / name).write_text(f"page {name}")
    return tmp_path


EVERYTHING = {name: f"page {name}" for name in handed.PAGES}


def test_pages_that_the_front_door_lacks_are_handed_over(out: Path) -> None:
    door = Door(handed.said({}))
    assert telling.tell(door, "dev", TOLD, out)
    assert (door.told, door.pages) == ([TOLD], EVERYTHING)


def test_pages_that_it_has_are_not_handed_over_again(out: Path) -> None:
    held = {name: handed.of_page(name, EVERYTHING[name], AT, "run-1")[0] for name in EVERYTHING}
    door = Door(handed.said(held))
    assert telling.tell(door, "dev", TOLD, out)
    assert door.pages == {}


def test_a_page_that_was_drawn_anew_is_handed_over(out: Path) -> None:
    held = {name: handed.of_page(name, EVERYTHING[name], AT, "run-1")[0] for name in EVERYTHING}
    (out / "report.html").write_text("with the probes")
    door = Door(handed.said(held))
    telling.tell(door, "dev", TOLD, out)
    assert door.pages == {"report.html": "with the probes"}


def test_a_page_of_which_nothing_is_told_stays_here(out: Path) -> None:
    door = Door(handed.said({}))
    telling.tell(door, "dev", Told(last_audit=TOLD.last_audit), out)
    assert set(door.pages) == {"audit.html"}


def test_a_front_door_that_knows_of_no_pages_gets_none(out: Path) -> None:
    door = Door(None)
    assert telling.tell(door, "dev", TOLD, out)
    assert door.pages == {}


def test_a_page_that_is_refused_is_named_with_the_reason(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert telling.tell(Door(handed.said({}), refuses="no space \x1b[31mleft"), "dev", TOLD, out)
    said = capsys.readouterr().err
    assert "did not take audit.html: no space" in said
    assert "\x1b" not in said


def test_a_page_that_is_too_large_is_named_and_the_other_one_comes(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "report.html").write_text("x" * (handed.MOST + 1))
    door = Door(handed.said({}))
    assert telling.tell(door, "dev", TOLD, out)
    assert set(door.pages) == {"audit.html"}
    assert "report.html is larger than 8 MiB" in capsys.readouterr().err


def test_what_the_clone_knows_is_told_without_a_look_at_the_stack(tmp_path: Path) -> None:
    assert telling.of_clone(tmp_path, []) == Told()
    run = {"run_id": "run-1", "tier": "ci", "finished": AT, "verdicts": []}
    (tmp_path / "result.json").write_text(json.dumps(run))
    found = telling.of_clone(tmp_path, [])
    assert found.last_benchmark
    assert found.last_benchmark.run == "run-1"
