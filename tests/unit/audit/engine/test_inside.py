"""Commands in containers, with an engine that records the exit code late."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from audit.engine import inside


def client(codes: list[int | None]) -> Any:
    """An engine whose commands print `text`; each look at the exit code takes the next one."""
    api = SimpleNamespace(
        exec_create=lambda *_, **__: {"Id": "1"},
        exec_start=lambda *_, **__: b"text",
        exec_inspect=lambda _: {"ExitCode": codes.pop(0) if len(codes) > 1 else codes[0]},
    )
    return SimpleNamespace(api=api)


def test_an_exit_code_that_comes_late_is_waited_for() -> None:
    assert inside.run(client([None, None, 0]), "c", ["true"]) == (0, "text")


def test_a_command_without_an_exit_code_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "LATE_S", 0.1)
    assert inside.output(client([None]), "c", ["true"]) is None
