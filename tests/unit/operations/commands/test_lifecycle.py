"""What `bench-lifecycle` leaves behind when it is interrupted or its stack cannot be removed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from operations.commands import lifecycle
from operations.errors import InterruptionError, OperationError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "Pulumi.bench.yaml"
    monkeypatch.setattr(lifecycle, "path_of", lambda _stack: path)
    monkeypatch.setattr(lifecycle, "copy_of", lambda _stack: "config: {}\n")
    monkeypatch.setattr(lifecycle, "_refuse_unless_free", lambda: None)
    return path


def commands(monkeypatch: pytest.MonkeyPatch, codes: dict[str, int], interrupted: str = "") -> list[str]:
    """Our own commands end with their code in `codes`, else with 0; during `interrupted` comes a signal."""
    run: list[str] = []

    def attached(command: Sequence[str], *, interrupts: Any, cwd: Path) -> int:
        assert command[:3] == [sys.executable, "-m", "operations"]
        name = "purge" if "--purge" in command else command[3]
        run.append(name)
        interrupts.count += name == interrupted
        return codes.get(name, 0)

    monkeypatch.setattr(lifecycle, "attached", attached)
    return run


def test_an_interrupt_begins_no_further_step_and_the_stack_is_purged(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = commands(monkeypatch, {}, interrupted="up")
    with pytest.raises(InterruptionError):
        lifecycle.main("test", out=tmp_path / "out.json", no_training=True)
    assert run == ["up", "purge"]
    assert not file.exists()


def test_the_stacks_file_stays_when_the_purge_fails(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands(monkeypatch, {"up": 1, "purge": 2})
    with pytest.raises(OperationError, match=r"Pulumi\.bench\.yaml is kept"):
        lifecycle.main("test", out=tmp_path / "out.json", no_training=True)
    assert file.exists()
