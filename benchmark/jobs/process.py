"""A user's script as a process that does not outlive the one that started it.

`python -P -m benchmark.jobs.process PARENT SCRIPT ARGUMENTS…` becomes the script, and dies with PARENT.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

PR_SET_PDEATHSIG = 1
CHUNK = 1 << 16
LONGEST = 1 << 20  # characters of a line that are kept together


def say(text: str) -> None:
    """A line of ours in the job's log."""
    print(f"aidc: {text}", flush=True)


def start(
    script: Sequence[str], environment: Mapping[str, str], output: int | None
) -> subprocess.Popen[bytes]:
    """`script`: the file and its arguments; `output` as `subprocess.Popen` takes it, for both streams."""
    command = [sys.executable, "-P", "-m", "benchmark.jobs.process", str(os.getpid()), *script]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env={**os.environ, **environment},
    )


def lines(stream: int) -> Iterator[list[str]]:
    """Whole lines as they come, some at a time; the end of an unfinished line last."""
    rest = b""
    while chunk := os.read(stream, CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST:
            whole, rest = [*whole, rest], b""
        if whole:
            yield [line.decode(errors="replace") for line in whole]
    if rest:
        yield [rest.decode(errors="replace")]


def exit_code(code: int) -> int:
    """As a shell has it: 128 and the number of the signal for a process that one has ended."""
    return code if code >= 0 else 128 - code


def ending(code: int) -> str:
    """In words how a script has ended; `code` as `exit_code` gives it."""
    if code <= 128:
        return f"ended with exit code {code}"
    number = code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = ": perhaps its node ran out of memory" if number == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"


def main(arguments: Sequence[str]) -> None:
    """Becomes the script, so that nothing of ours stands in its traceback."""
    parent, *script = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before we asked to end with it
        sys.exit(1)
    os.execv(sys.executable, [sys.executable, *script])


if __name__ == "__main__":
    main(sys.argv[1:])
