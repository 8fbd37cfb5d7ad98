"""Names for completion: those that a shell can only take as words."""

from __future__ import annotations

import pytest

from operations.commands import names


def test_names_that_a_shell_would_take_for_more_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ["demo@2", "demo", "$(id)", "a b", "<(id)", "a\nb", "x;y", "", "ä"]
    monkeypatch.setattr(names, "NAMES", {"jobs": lambda _: found})
    assert names.main("dev", "jobs") == 0
    assert capsys.readouterr().out == "demo\ndemo@2\n"


def test_what_can_be_rotated_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert names.main("dev", "rotatable") == 0
    assert {"authority", "s3/root"} <= set(capsys.readouterr().out.split())
