"""`make status WATCH=1` as a process: how it ends, on a terminal and without a reader."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from operations.overview.watching import ENTER, LEAVE

ROOT = Path(__file__).parents[4]
# A status that never changes; the second look takes as long as SLOW says, in a thread that Python waits for.
SCRIPT = """
import os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from operations import __main__ as program
from operations.commands import status
from operations.overview import watching
from operations.status_document import Service, Status

# Ignored where a shell has started the tests in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
row = Service(name="vault", role="vault", container="c", addresses={}, healthy=True, state="healthy")
found = Status(schema="aidc.status/1", stack="dev", healthy=True, services=[row], endpoints={},
               last_backup=None, remark=None, jobs=[])

class Looker:
    looks = 0
    def __init__(self, *_): pass
    def look(self):
        Looker.looks += 1
        with ThreadPoolExecutor() as pool:
            pool.submit(time.sleep, float(os.environ["SLOW"]) if Looker.looks > 1 else 0).result()
        return found

status.connect, status.Looker, watching.EVERY_S = (lambda: None), Looker, 0.1
sys.exit(program.main(["status", "--watch", "--stack", "dev"]))
"""
COMMAND = [sys.executable, "-c", SCRIPT]
SOON = 20


def on_terminal(end: Sequence[int], slow: str) -> tuple[int, str]:
    """Exit code, negative for a signal, and all that was written, when these signals come after a look."""
    master, slave = pty.openpty()
    environment = {**os.environ, "SLOW": slow, "TERM": "xterm"}
    child = subprocess.Popen(COMMAND, stdout=slave, stderr=slave, cwd=ROOT, env=environment)
    os.close(slave)
    written = b""
    try:
        while b"Ctrl-C ends" not in written:
            written += os.read(master, 1 << 16)
        for number in end:
            child.send_signal(number)
        code = child.wait(SOON)
        while True:
            try:
                written += os.read(master, 1 << 16)
            except OSError:  # nobody has it open any more
                break
    finally:
        child.kill()
        os.close(master)
    return code, written.decode()


@pytest.mark.parametrize("slow", ["0", "600"])
def test_ctrl_c_ends_it_at_once_without_a_word(slow: str) -> None:
    code, written = on_terminal([signal.SIGINT], slow)
    assert code == 0
    assert written.endswith(LEAVE)
    assert "interrupt" not in written.lower()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_another_signal_gives_the_terminal_back_too(number: int) -> None:
    code, written = on_terminal([number], "0")
    assert (code, written.endswith(LEAVE)) == (-number, True)


def test_after_a_pause_it_draws_again() -> None:
    code, written = on_terminal([signal.SIGTSTP, signal.SIGCONT, signal.SIGINT], "0")
    assert code == 0
    assert written.count(ENTER) == written.count(LEAVE)


@pytest.mark.parametrize("slow", ["0", "600"])
def test_it_ends_when_nobody_reads_although_nothing_changes(slow: str) -> None:
    environment = {**os.environ, "SLOW": slow}
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment, text=True
    ) as child:
        assert child.stdout
        assert child.stderr
        # All of the page, after which nothing is written any more.
        assert select.select([child.stdout], [], [], SOON)[0]
        while select.select([child.stdout], [], [], 1)[0]:
            assert os.read(child.stdout.fileno(), 1 << 16)
        child.stdout.close()
        try:
            code = child.wait(SOON)
        finally:
            child.kill()
        assert (code, child.stderr.read()) == (1, "")
