"""Run a program that starts others, and leave none of them behind when it has to stop.

It runs in a session of its own, so that a terminal's Ctrl-C reaches only us. When we stop early (a signal
that raises, a time-out), it gets SIGTERM and time to stop its own children; whatever still runs after that
is killed, including processes that moved to another session, as the ranks of torchrun do.
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
KILLED_S = 5.0  # until the kernel has removed a killed process
HALTS = 40  # checks, 5 ms apart, of whether a program has halted


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float, grace_s: float = GRACE_S
) -> subprocess.CompletedProcess[str]:
    """The finished program and its output; TimeoutExpired after `timeout_s`. Nothing of it runs on."""
    # Files, not pipes: reading a pipe would wait for any grandchild that holds it open.
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
    """Deliver signals after the block: one in the middle of a start would orphan an unknown process."""
    if threading.current_thread() is not threading.main_thread():  # only it receives signals
        yield
        return
    received: list[int] = []
    before = {s: signal.signal(s, lambda n, _: received.append(n)) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def end(process: subprocess.Popen[str], grace_s: float = GRACE_S) -> None:
    """SIGTERM to the program, then after at most `grace_s` SIGKILL to all that is left of it."""
    # Halt it while listing its children: one that it starts afterwards and abandons could not be found.
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
    left = {member for member in family | descendants(process.pid) if _runs(member)}
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    last = time.monotonic() + KILLED_S
    while time.monotonic() < last and any(map(_runs, left)):
        time.sleep(POLL_S / 10)


Process = tuple[int, int]  # its number and its start time, because numbers are reused


def descendants(of: int) -> set[Process]:
    """All processes below this one."""
    parents: dict[int, int] = {}
    starts: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            parents[int(entry.name)], starts[int(entry.name)] = int(fields[1]), int(fields[19])
    below, todo = set[Process](), [of]
    while todo:
        parent = todo.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        below |= {(pid, starts[pid]) for pid in children}
        todo += children
    return below


def _runs(process: Process) -> bool:
    fields = _fields(process[0])
    return bool(fields) and int(fields[19]) == process[1] and fields[0] != "Z"


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []
