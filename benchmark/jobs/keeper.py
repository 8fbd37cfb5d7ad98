"""Runs a user's script, and leaves nothing behind that it started.

`python -P -m benchmark.jobs.keeper PARENT SCRIPT ARGUMENTS…` runs the script, ends with its exit code or
signal, and ends it when PARENT dies. What starts the script is a child of this process, the keeper: a worker
of Ray that ends kills its own children, and them alone. What the script started, and what these started,
become children of the keeper when they are orphans. Once the script is gone they get a moment to end by
themselves, as what removes shared memory does, and are killed then. Else they would hold the node's CPUs and
GPUs for ever, and the job's output open. The script's temporary files, and the shared memory that is left, go
as well: both take the node's memory.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from benchmark.core import processes, scratch
from benchmark.core.scratch import Scratch
from benchmark.jobs.segments import Segments

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# Of what the script left: until it is killed, and until nobody waits for it any more.
GRACE_S, GIVEN_UP_S = 2.0, 10.0
# From SIGTERM to SIGKILL, for all of it: after three seconds Ray would kill the keeper, too.
STOP_S = 2.5
EVERY_S = 0.05
# Between two looks for new shared memory.
LOOK_S = 1.0


def before(parent: int) -> None:
    """Comes back in a child alone, the keeper; this process, which `parent` has started, ends as that does.

    When this one is killed, so that nobody waits for the keeper any more, the keeper is told.
    """
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    keeper = os.fork()
    if keeper == 0:
        return

    def asked(_number: int, _frame: object) -> None:
        if os.getppid() != parent:
            os._exit(1)
        with suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGTERM)

    signal.signal(signal.SIGTERM, asked)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if os.getppid() != parent:  # it ended before we asked to be told
        os._exit(1)
    end(os.waitpid(keeper, 0)[1])


def left() -> list[int]:
    """The numbers of what descends from this process, and runs."""
    found = processes.descendants(os.getpid(), processes.present())
    return [one.number for one in found if not one.ended]


def clear(begun: float, grace_s: float, segments: Segments) -> None:
    """Until no descendant of this process is left: `grace_s` after `begun` they are killed."""
    while there := left():
        segments.look(there)
        passed = time.monotonic() - begun
        if passed > grace_s + GIVEN_UP_S:  # one that the kernel holds
            return
        if passed >= grace_s:
            for number in there:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(EVERY_S)


def run(
    parent: int, command: Sequence[str], variables: Mapping[str, str], segments: Segments, asked: list[float]
) -> int:
    """How the script ended. SIGTERM is blocked before; `asked` gets the times when it comes."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    keeper = os.getpid()
    script = os.fork()
    if script == 0:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.execve(sys.executable, [sys.executable, *command], {**os.environ, **variables})

    def tell(number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(script, number)

    def ask(_number: int, _frame: object) -> None:
        asked.append(time.monotonic())
        tell(signal.SIGTERM)
        # Who started us sees to the rest, unless it was its death that asked.
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, max(EVERY_S, asked[0] + STOP_S - asked[-1]))

    signal.signal(signal.SIGALRM, lambda _number, _frame: tell(signal.SIGKILL))
    signal.signal(signal.SIGTERM, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if os.getppid() != parent:  # it ended before we asked to be told
        tell(signal.SIGKILL)
    with looking(segments):
        while True:
            ended, status = os.waitpid(-1, 0)
            if ended == script:
                return status


@contextmanager
def looking(segments: Segments) -> Iterator[None]:
    """For new shared memory, meanwhile."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            segments.look(left())
            over.wait(LOOK_S)

    beside = threading.Thread(target=look)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()


def end(status: int) -> None:
    """Ends this process as the script has ended."""
    if os.WIFSIGNALED(status):
        # The script's is enough.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        number = os.WTERMSIG(status)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main(arguments: Sequence[str]) -> None:
    parent, *command = arguments
    # What comes before there is a script counts afterwards.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    before(int(parent))
    end(keep(os.getppid(), command))


def keep(parent: int, command: Sequence[str]) -> int:
    """How the script ended, as `os.waitpid` has it; nothing of it is left then."""
    scratch.sweep()
    segments, own, asked = Segments(), None, list[float]()
    with suppress(OSError):  # the node's memory is full: the script says so itself, if it needs any
        own = Scratch()
    status = run(parent, command, scratch.variables(own.folder) if own else {}, segments, asked)
    clear(*((asked[0], STOP_S) if asked else (time.monotonic(), GRACE_S)), segments)
    segments.remove()
    if own:
        own.remove()
    return status


if __name__ == "__main__":
    main(sys.argv[1:])
