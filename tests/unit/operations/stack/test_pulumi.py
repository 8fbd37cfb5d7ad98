"""A long command with a Pulumi that is made up: what it writes down is shown, whatever becomes of it."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from operations.process import Interrupts
from operations.stack.pulumi import Pulumi

EVENTS = Path(__file__).parent / "events"
HEAD = """#!/bin/bash
[ "$PULUMI_DEBUG_COMMANDS" = true ] || exit 90
while [ $# -gt 0 ]; do [ "$1" != --event-log ] || log=$2; shift; done
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def run(folder: Path, script: str, command: str = "up") -> int:
    (folder / "pulumi").write_text(HEAD + script)
    (folder / "pulumi").chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}"}
    with Interrupts() as interrupts:
        return Pulumi("dev", folder, environment).run_with_progress(command, interrupts=interrupts)


def test_steps_are_shown_from_the_event_log_and_not_from_the_output(
    tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f"""
    echo 'Updating (dev):'
    head -c 2000 {EVENTS}/create.jsonl >$log; sleep 0.2
    tail -c +2001 {EVENTS}/create.jsonl >>$log
    echo ' +  docker:index:Volume other created (9s)'
    """
    assert run(tmp_path, script) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "updating …"
    assert lines[-1] == "  6 created"
    assert [line.split()[:4] for line in lines if "Container" in line] == [
        ["+", "Container", "a", "created"],
        ["+", "Container", "b", "created"],
    ]
    assert "other" not in "".join(lines)
    assert list(temporary.iterdir()) == []


def test_a_run_that_writes_no_log_shows_its_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "echo 'error: no such stack'; exit 255") == 255
    assert capsys.readouterr().out == "error: no such stack\n"


def test_a_run_that_is_killed_in_the_middle_of_an_event_shows_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, f"head -c -20 {EVENTS}/kill.jsonl >$log; kill -KILL $$") == -signal.SIGKILL
    assert "  + Volume k created" in capsys.readouterr().out


def test_an_interrupted_run_ends_itself_and_its_failures_are_hidden(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"""
    trap 'cat {EVENTS}/interrupt.jsonl >>$log; echo "error: update canceled"; exit 1' INT
    kill -TERM $PPID
    while :; do sleep 0.05; done
    """
    assert run(tmp_path, script) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[-1] == "  6 created, 1 errored"
    assert not any(line.startswith(("error", "diagnostics")) for line in lines)
    assert list(temporary.iterdir()) == []


def test_a_closed_terminal_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("operations.stack.progress.Progress._once", lambda _self, text: closed(text))
    script = f"""
    trap 'touch ended; exit 1' INT
    cat {EVENTS}/create.jsonl >$log
    for n in $(seq 100); do echo line; sleep 0.05; done
    """
    with pytest.raises(BrokenPipeError):
        run(tmp_path, script)
    assert (tmp_path / "ended").exists()


def test_pulumi_goes_by_the_engine_that_everything_else_uses(tmp_path: Path) -> None:
    environment = {"DOCKER_HOST": "unix:///run/near.sock", "DOCKER_CONTEXT": "far"}
    assert "DOCKER_CONTEXT" not in Pulumi("dev", tmp_path, environment).environment
