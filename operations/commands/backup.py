"""Run every backup job now, or one of them, in the stack's own backup service, and wait for the end.

Exit codes: 0 complete; 1 a job failed; 2 there is no such job, the stack is not up, or no engine answers;
3 partial: something could not be read, it is named, and all else is saved.
"""

from __future__ import annotations

from operations.engine.client import connect
from operations.engine.services import running
from operations.restoring.bar import Bar

SERVICE = "backup"


def main(stack: str, job: str | None = None) -> int:
    """The exit code of the runs. Raises RefusedError where there is no backup service."""
    engine = connect()
    container = f"aidc-{stack}-{SERVICE}"
    running(engine, stack, SERVICE, "the backup service")
    command = ["backup", "run", "--progress", *(["--job", job] if job else [])]
    with Bar() as bar:
        return engine.follow(container, command, bar.told)
