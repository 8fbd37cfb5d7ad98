"""One command at a time changes a stack; a planted link or a foreign file blocks nobody."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from operations import __main__ as commands
from operations.cli import COMMANDS
from operations.errors import RefusedError
from operations.stack import exclusive

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independent of an audit that runs on this machine."""
    monkeypatch.setattr(exclusive, "AUDIT", "aidc-audit-of-the-unit-tests")


def test_a_second_command_on_the_same_stack_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with (
        exclusive.changing("dev", "up", tmp_path),
        pytest.raises(RefusedError, match=r"stack dev: `make up` \(process \d+\) is working on it"),
        exclusive.changing("dev", "destroy", tmp_path),
    ):
        pass


def test_another_stack_is_free(tmp_path: Path) -> None:
    with exclusive.changing("dev", "up", tmp_path), exclusive.changing("test", "up", tmp_path):
        pass


def test_a_lock_ends_with_its_holder_even_if_it_was_killed(tmp_path: Path) -> None:
    holder = f"""
import os, signal
from pathlib import Path
from operations.stack.exclusive import changing
with changing("dev", "up", Path({str(tmp_path)!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", holder], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL, "it never held the lock"
    with exclusive.changing("dev", "up", tmp_path):
        pass


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "dev").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"), exclusive.changing("dev", "up", locks):
        pass
    assert target.read_text() == "precious"


@pytest.mark.parametrize("command", sorted(n for n, c in COMMANDS.items() if c.changes))
def test_commands_that_change_a_stack_hold_its_lock(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "changing", lambda stack, name: exclusive.changing(stack, name, tmp_path))
    with exclusive.changing("dev", "up", tmp_path):
        assert commands.main([command, "--stack", "dev"]) == 2


def test_two_audits_do_not_run_at_a_time() -> None:
    with (
        exclusive.auditing(),
        pytest.raises(RefusedError, match="another audit"),
        exclusive.auditing(),
    ):
        pass


def test_an_audit_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with exclusive.auditing():
        assert not list(tmp_path.iterdir())
