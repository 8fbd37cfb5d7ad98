"""What services tell of themselves for `make status`: one that was taken over tells anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operations.engine.client import Engine
from operations.overview import engine as asked
from operations.overview import looking

AT = "2026-11-28T12:00:00+00:00"


class Telling(Engine):
    """Every container prints this."""

    def __init__(self, text: str) -> None:
        super().__init__(None)
        self.text = text

    def output(self, container: str, command: list[str]) -> str | None:
        return self.text


@pytest.fixture(autouse=True)
def no_drill_of_this_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("operations.nodes.record.folder", lambda _stack: tmp_path)


def told(finished: str) -> str:
    return json.dumps({"state": "ok", "text": "all of it", "run": {"finished": finished}})


def test_a_backup_and_a_drill_are_read_as_they_are_told() -> None:
    engine = Telling(told(AT))
    backup, drill = looking.last_backup(engine, "dev"), looking.last_drill(engine, "dev")
    assert backup is not None
    assert drill is not None
    assert (backup.at, drill.at) == (AT, AT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "5",
        "[]",
        "{",
        "[" * 100_000,
        '{"run": 5, "state": "ok", "text": ""}',
        told("soon"),
        told("2026-11-28T12:00:00"),
    ],
)
def test_what_no_page_could_show_counts_as_not_told(text: str) -> None:
    engine: Any = Telling(text)
    found = [
        ask(engine, "dev") for ask in (looking.last_backup, looking.last_drill, asked.refused, asked.disk)
    ]
    assert found == [None] * 4
