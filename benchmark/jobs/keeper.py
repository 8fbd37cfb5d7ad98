"""Runs a user's script, and leaves nothing behind that it started.

`python -P -m benchmark.jobs.keeper PARENT SCRIPT ARGUMENTS…` runs the script as a child, ends with its exit
code or signal, and ends it when PARENT dies. What the script started, and what these started, become children
of this process when they are orphans. Once the script is gone they get a moment to end by themselves, as what
removes shared memory does, and are killed then. Else they would hold the node's CPUs and GPUs for ever, and
the job's output open.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from benchmark.core import processes

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# Of what the script left: until it is killed, and until nobody waits for it any more.
GRACE_S, GIVEN_UP_S = 2.0, 10.0
EVERY_S = 0.05


def left() -> list[int]:
    """The numbers of what descends from this process, and runs."""
    found = processes.descendants(os.getpid(), processes.present())
    return [one.number for one in found if not one.ended]


def clear(grace_s: float) -> None:
    """Until no descendant of this process is left: they have `grace_s` to end, and are killed then."""
    begun = time.monotonic()
    while there := left():
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


def run(parent: int, command: Sequence[str]) -> int:
    """How the script ended, as `os.waitpid` has it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    keeper = os.getpid()
    # What came before there is a script counts afterwards.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    script = os.fork()
    if script == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.execv(sys.executable, [sys.executable, *command])

    def tell(number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(script, number)

    def asked(_number: int, _frame: object) -> None:
        tell(signal.SIGTERM)
        # Who started us sees to the rest, unless it was its death that asked.
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    signal.signal(signal.SIGALRM, lambda _number, _frame: tell(signal.SIGKILL))
    signal.signal(signal.SIGTERM, asked)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if os.getppid() != parent:  # it ended before we asked to be told
        tell(signal.SIGKILL)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == script:
            return status


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
    status = run(int(parent), command)
    clear(GRACE_S)
    end(status)


if __name__ == "__main__":
    main(sys.argv[1:])
