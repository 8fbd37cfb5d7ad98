"""Open a shell in the container of a service, or run one command there, as the service's own user.

Exit codes: that of the command; 2 no such service, or it does not run.
"""

from __future__ import annotations

import os
import shlex
import sys

from operations.engine.choice import chosen
from operations.engine.client import connect
from operations.errors import RefusedError

SHELL = ("sh", "-c", "exec bash || exec sh")


def main(stack: str, service: str | None = None, cmd: str | None = None) -> int:
    """This process becomes the engine's client, which owns the terminal."""
    container = chosen(connect(), stack, service)
    if not container.running:
        raise RefusedError(f"{container.name} does not run\n    fix: `make up STACK={stack}`")
    try:
        words = shlex.split(cmd) if cmd else list(SHELL)
    except ValueError as error:
        raise RefusedError(f"CMD: cannot be read: {error}\n    fix: close each quotation mark") from None
    terminal = ["--interactive", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else ["--interactive"]
    os.execvp("docker", ["docker", "exec", *terminal, container.name, *words])
