"""Show the log of a service, or of a job, and follow it.

A service's log is followed where a person looks on: on a terminal, until Ctrl-C. A job is followed until it
ends; Ctrl-C leaves it running.

Exit codes: 0 shown; of a job, that of its script; 2 no such service or job; 130 no longer followed.
"""

from __future__ import annotations

import subprocess
import sys

from operations.engine.choice import chosen
from operations.engine.client import connect
from operations.errors import INTERRUPTED, RefusedError
from operations.jobs import following, session
from operations.process import say


def main(stack: str, service: str | None = None, job: str | None = None, tail: int = 200) -> int:
    """One of `service` and `job`. Raises RefusedError with the nearest name."""
    if service and job:
        raise RefusedError("S and JOB: only one of them can be shown\n    fix: leave one out")
    if job:
        return _of_job(stack, job)
    container = chosen(connect(), stack, service).name
    follow = ["--follow"] if sys.stdout.isatty() else []
    command = ["docker", "logs", "--timestamps", "--tail", str(tail), *follow, container]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return INTERRUPTED


def _of_job(stack: str, job: str) -> int:
    found = session.connect(stack)
    with session.reporting():
        known = session.find(found.ray, job)
        identifier = str(known["submission_id"])
        try:
            end = following.follow(found, identifier)
        except KeyboardInterrupt:
            say(f"\njob {identifier} goes on")
            return INTERRUPTED
    if end.status != "SUCCEEDED":
        say(f"job {identifier}: {end.status.lower()}")
    return end.code
