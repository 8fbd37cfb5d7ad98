"""What jobs chose steers no terminal: names and tags of models, words of a log."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark import console
from benchmark.analysis.runs import aligned
from benchmark.cluster.connection import Connection, Endpoint
from benchmark.commands import models
from benchmark.tracking.registry import Version

EVIL = "a\x1b]0;x\x07\x1b[2J\u202e\rb\nc"


def test_a_row_is_one_line_and_columns_stay_aligned() -> None:
    version = Version(
        model=EVIL, number=1, aliases=(EVIL,), tags={"quality": EVIL, "verdicts": EVIL}, created=""
    )
    lines = aligned(models.COLUMNS, models.rows({EVIL: [version]}, {}))
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_message_keeps_its_lines_and_nothing_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(EVIL)
    console.show_message("error", {"type": "x", "message": EVIL})
    told = capsys.readouterr().err
    assert told.count("\n") == 4
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(told)


def test_progress_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_message("progress", {"stage": EVIL})
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told


@pytest.mark.parametrize("body", [b"[" * 100_000, b"5", b'{"models": [{"workload": {}, "sha256": 1}]}', b"{"])
def test_what_answers_in_a_replica_s_place_ends_no_list_of_models(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(Connection, "call", lambda *_: (200, body))
    stack: Any = SimpleNamespace(inference=lambda: Endpoint("https://127.0.0.1:9"))
    assert models.served(stack) is None


def test_what_a_replica_serves_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"models": [{"workload": "mlp", "sha256": "ab"}]}).encode()
    monkeypatch.setattr(Connection, "call", lambda *_: (200, body))
    stack: Any = SimpleNamespace(inference=lambda: Endpoint("https://127.0.0.1:9"))
    assert models.served(stack) == {"mlp": "ab"}
