"""The way to a notebook is opened in the stack's file, and only where the stack takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.commands import notebook
from operations.errors import OperationError, RefusedError
from operations.stack.file import StackFile

TEXT = "config:\n  aidc:datacenter:\n    network: {cidr: 10.77.0.0/20}  # ours\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack's file, to which a Pulumi that is made up adds a line."""
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(TEXT)

    class Pulumi:
        def __init__(self, stack: str) -> None:
            assert stack == "dev"

        def set_all(self, values: dict[str, str]) -> None:
            assert list(values) == ["aidc:datacenter.notebook.enabled"]
            path.write_text(
                TEXT + f"    notebook: {{enabled: {values['aidc:datacenter.notebook.enabled']}}}\n"
            )

    monkeypatch.setattr(notebook, "Pulumi", Pulumi)
    monkeypatch.setattr(notebook, "read", lambda _stack: StackFile("dev", path))
    return path


def test_it_is_written_before_the_stack_is_brought_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(notebook, "bring_up", lambda _stack: seen.append(file.read_text()))
    notebook.allow("dev", True)
    assert seen == [TEXT + "    notebook: {enabled: true}\n"] == [file.read_text()]


@pytest.mark.parametrize(("error", "kept"), [(RefusedError, False), (OperationError, True)])
def test_the_file_is_as_before_only_where_nothing_was_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch, error: type[OperationError], kept: bool
) -> None:
    def fails(_stack: str) -> None:
        raise error("the port is taken")

    monkeypatch.setattr(notebook, "bring_up", fails)
    with pytest.raises(error):
        notebook.allow("dev", True)
    assert (file.read_text() != TEXT) == kept


def test_the_packages_and_the_script_are_there() -> None:
    assert "jupyterlab==" in notebook.PACKAGES.read_text()
    assert notebook.SCRIPT.is_file()
