"""Mutual exclusion: one command at a time changes a stack, one audit at a time runs on a machine.

Both locks end with the process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.planning.paths import ROOT
from operations.errors import RefusedError

AUDIT = "aidc-audit"
LOCKS = ROOT / ".aidc" / "locks"


@contextmanager
def changing(stack: str, command: str, folder: Path = LOCKS) -> Iterator[None]:
    """Hold the stack's lock. Raises RefusedError that names the holder.

    Pulumi's own lock comes too late: by then two runs could both have given a new stack its seed. The lock
    file lies in the clone, where nobody else may write, and only its content is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / stack, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = file.read().strip() or "another command"
            raise RefusedError(
                f"stack {stack}: {holder} is working on it; nothing was changed\n    fix: wait until it ends"
            ) from None
        file.truncate(0)
        file.write(f"`make {command}` (process {os.getpid()})")
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate(0)


@contextmanager
def auditing() -> Iterator[None]:
    """Hold the machine's audit lock: two audits would probe each other's listeners. Raises RefusedError.

    A name in the kernel's abstract socket namespace instead of a file: no user owns it, nobody can put a link
    in its place, and it ends with its process.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        try:
            claim.bind(f"\0{AUDIT}")
        except OSError:
            raise RefusedError(
                "another audit is running on this machine\n    fix: wait until it ends"
            ) from None
        yield
