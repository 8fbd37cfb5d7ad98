"""Run a backup now, in the stack's own backup service, and wait for its end.

Exit codes: 0 complete; 1 failed; 2 the stack is not up, or no engine answers; 3 partial: something could not
be read, it is named, and all else is saved.
"""

from __future__ import annotations

from operations.engine.client import connect
from operations.engine.services import running
from operations.restoring.bar import Bar

JOB = "backup"


def main(stack: str) -> int:
    """The exit code of the run. Raises RefusedError where there is no backup service."""
    engine = connect()
    container = f"aidc-{stack}-{JOB}"
    running(engine, stack, JOB, "the backup service")
    with Bar() as bar:
        return engine.follow(container, ["backup", "run", "--progress"], bar.told)
