"""A program that is told to end: what it has started ends too, in bounded time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmark.cluster import children

# Starts a child in a session of its own, as torchrun does with its ranks, and waits. `deaf`: to SIGTERM.
PARENT = """
import pathlib, signal, subprocess, sys, time
deaf, folder = sys.argv[1] == "deaf", pathlib.Path(sys.argv[2])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
def end(*_):
    if not deaf:
        child.terminate(), child.wait(), (folder / "ended").touch(), sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / "pids.new").write_text(f"{child.pid}")
(folder / "pids.new").rename(folder / "pids")
while True:
    time.sleep(0.05)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command(kind: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", PARENT, kind, str(folder)]


def wait_for(path: Path) -> None:
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} does not come")


def test_what_a_program_says_and_its_code_are_kept(tmp_path: Path) -> None:
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = children.run([sys.executable, "-c", program], cwd=tmp_path, env=dict(os.environ), timeout_s=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


@pytest.mark.parametrize("kind", ["fair", "deaf"])
def test_a_signal_ends_the_program_and_all_that_it_started(tmp_path: Path, kind: str) -> None:
    """By SIGKILL to the program alone, its child lived on."""

    def interrupt() -> None:
        wait_for(tmp_path / "pids")
        os.kill(os.getpid(), signal.SIGTERM)

    def raise_(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, raise_)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            children.run(
                command(kind, tmp_path),
                cwd=tmp_path,
                env=dict(os.environ),
                timeout_s=120,
                grace_s=60 if kind == "fair" else 1,
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not alive(int((tmp_path / "pids").read_text()))
    assert (tmp_path / "ended").exists() == (kind == "fair")


def test_a_signal_amid_a_start_is_heard_after_it() -> None:
    heard: list[str] = []

    def hear(*_: object) -> None:
        heard.append("signal")

    before = signal.signal(signal.SIGTERM, hear)
    try:
        with children.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            heard.append("started")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["started", "signal"]


@pytest.mark.parametrize("timeout_s", [0.05, 0.1, 0.2, 2])
def test_a_program_that_hangs_is_ended_after_its_time(tmp_path: Path, timeout_s: float) -> None:
    """However early: amid its start, before or after its child's."""
    marked = {**os.environ, "MARK": str(tmp_path)}
    with pytest.raises(subprocess.TimeoutExpired):
        children.run(command("deaf", tmp_path), cwd=tmp_path, env=marked, timeout_s=timeout_s, grace_s=0.3)
    assert not [pid for pid in marked_by(tmp_path) if alive(pid)]


def marked_by(folder: Path) -> list[int]:
    """Processes that have the folder in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if f"MARK={folder}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def test_a_grandchild_that_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    program = "import subprocess; print(subprocess.Popen(['sleep', '300']).pid)"
    done = children.run([sys.executable, "-c", program], cwd=tmp_path, env=dict(os.environ), timeout_s=120)
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 0
