"""A program that may start others, of which none is left when this one is told to end.

It runs in a session of its own, so that a terminal's Ctrl-C does not reach it beside us. When we end early
(a signal that raises, a time-out), it is told to end by SIGTERM and given time to end its own
children; whatever then still runs of it is killed, also what has moved to another session, as the ranks that
torchrun starts have.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE_S = 40.0  # torchrun gives its ranks 30 s
POLL_S = 0.05
KILLED_S = 5.0  # a process that was killed is gone when the kernel comes to it
HALTS = 40  # looks of 5 ms at whether a program has halted


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float, grace_s: float = GRACE_S
) -> subprocess.CompletedProcess[str]:
    """The ended program and what it said; TimeoutExpired after `timeout_s`. Nothing of it runs afterwards."""
    # Into files: a pipe that a grandchild holds open would be waited for, however long it lives.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process: subprocess.Popen[str] | None = None
        try:
            with deferred():
                process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                           stderr=err, text=True, start_new_session=True)  # fmt: skip
            process.wait(timeout_s)
        except BaseException:
            if process is not None:
                end(process, grace_s)
            raise
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(list(command), process.returncode, out.read(), err.read())


@contextmanager
def deferred() -> Iterator[None]:
    """Signals that come meanwhile are heard afterwards: one amid a start would leave a program unknown."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears signals
        yield
        return
    came: list[int] = []
    before = {s: signal.signal(s, lambda n, _: came.append(n)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def end(process: subprocess.Popen[str], grace_s: float = GRACE_S) -> None:
    """SIGTERM to the program, time to end, and SIGKILL to all that is left of it after `grace_s` at most."""
    # Halted while it is looked at: nobody would find a child that it starts later and leaves behind.
    process.send_signal(signal.SIGSTOP)
    for _ in range(HALTS):
        if process.poll() is not None or (_fields(process.pid) or "T")[0] in "TZ":
            break
        time.sleep(0.005)
    family = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    last = time.monotonic() + grace_s
    while time.monotonic() < last and (process.poll() is None or any(map(_runs, family))):
        family |= descendants(process.pid)
        time.sleep(POLL_S)
    left = {one for one in family | descendants(process.pid) if _runs(one)}
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    last = time.monotonic() + KILLED_S
    while time.monotonic() < last and any(map(_runs, left)):
        time.sleep(POLL_S / 10)


Process = tuple[int, int]  # its number and the moment of its start, as numbers are used again


def descendants(of: int) -> set[Process]:
    """All processes below this one."""
    parents: dict[int, int] = {}
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            parents[int(entry.name)], found[int(entry.name)] = int(fields[1]), int(fields[19])
    below, todo = set[Process](), [of]
    while todo:
        parent = todo.pop()
        mine = [pid for pid, its in parents.items() if its == parent]
        below |= {(pid, found[pid]) for pid in mine}
        todo += mine
    return below


def _runs(process: Process) -> bool:
    fields = _fields(process[0])
    return bool(fields) and int(fields[19]) == process[1] and fields[0] != "Z"


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on; none when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
