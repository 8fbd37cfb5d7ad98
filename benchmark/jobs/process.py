"""A user's script as a process that does not outlive the one that started it, and what it prints."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

CHUNK = 1 << 16
LONGEST = 1 << 20  # characters of a line that are kept together
UNFINISHED_S = 10.0
# A line feed, or the carriage return of a progress bar; at the end a line feed may follow it.
END = re.compile(rb"\r*\n|\r+(?![\r\n]|\Z)")


def start(
    script: Sequence[str], environment: Mapping[str, str], output: int | None
) -> subprocess.Popen[bytes]:
    """`script`: the file and its arguments; `output` as `subprocess.Popen` takes it, for both streams.

    What it starts ends with it (`benchmark.jobs.keeper`).
    """
    command = [sys.executable, "-P", "-m", "benchmark.jobs.keeper", str(os.getpid()), *script]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env={**os.environ, **environment},
        # Ray kills the group of a job that is stopped: the keeper has to outlive that for a moment.
        start_new_session=True,
    )


def lines(stream: int) -> Iterator[list[str]]:
    """Whole lines as they come, some at a time, and each state of a progress bar.

    What has been on an unfinished line for a while, as a point for each step, is a line too.
    """
    asked = select.poll()
    asked.register(stream)
    rest, begun = b"", 0.0
    while True:
        left_s = begun + UNFINISHED_S - time.monotonic()
        chunk = None
        if not rest or (left_s > 0 and asked.poll(left_s * 1000)):
            chunk = os.read(stream, CHUNK)
        if chunk:
            begun = begun if rest else time.monotonic()
            whole, rest = _split(rest + chunk)
            if whole:
                begun = time.monotonic()
            if len(rest) > LONGEST:
                whole, rest = [*whole, rest], b""
        else:
            whole, rest = [rest] if (rest := rest.rstrip(b"\r")) else [], b""
        if whole:
            yield [line.decode(errors="replace") for line in whole]
        if chunk == b"":
            return


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    """The lines that have ended, and the rest. The return that a bar begins with makes no line of its own."""
    whole, begun = [], 0
    for found in END.finditer(text):
        if found.start() > begun or found[0].endswith(b"\n"):
            whole.append(text[begun : found.start()])
        begun = found.end()
    return whole, text[begun:]


def exit_code(code: int) -> int:
    """As a shell has it: 128 and the number of the signal for a process that one has ended."""
    return code if code >= 0 else 128 - code


def ending(code: int) -> str:
    """In words how a script has ended; `code` as `exit_code` gives it."""
    number = code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:  # also that of sys.exit(-1), which is 255
        return f"ended with exit code {code}"
    hint = ": perhaps its node ran out of memory" if number == signal.SIGKILL else ""
    return f"was ended by {name}{hint}"
