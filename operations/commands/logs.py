"""Show the log of a service, or of a job, and follow it; or search in the logs of all services.

A service's log is followed where a person looks on: on a terminal, until Ctrl-C. A job is followed until it
ends; Ctrl-C leaves it running. `--find` asks VictoriaLogs, for words or whatever LogsQL can say, in the lines
of one service or of all; the newest are shown, the oldest of them first.

Exit codes: 0 shown; of a job, that of its script; 1 nothing was found, or the logs cannot be asked; 2 no such
service or job, or no such query; 130 no longer followed.
"""

from __future__ import annotations

import subprocess
import sys

from benchmark.cluster import stack as running
from components.planning.logs import READER
from operations.engine import finding
from operations.engine.choice import chosen
from operations.engine.client import connect
from operations.errors import FAILED, INTERRUPTED, OK, RefusedError
from operations.jobs import following, session
from operations.process import say


def main(
    stack: str,
    *,
    service: str | None = None,
    job: str | None = None,
    tail: int = 200,
    find: str | None = None,
    since: str = "1h",
) -> int:
    """One of `service` and `job`. Raises RefusedError with the nearest name."""
    if service and job:
        raise RefusedError("S and JOB: only one of them can be shown\n    fix: leave one out")
    if find is not None and job:
        raise RefusedError(
            "FIND and JOB: a job's log is not searched here\n    fix: make logs JOB=… | grep …"
        )
    if find is not None:
        return _found(stack, service, find, since, tail)
    if job:
        return _of_job(stack, job)
    container = chosen(connect(), stack, service).name
    follow = ["--follow"] if sys.stdout.isatty() else []
    command = ["docker", "logs", "--timestamps", "--tail", str(tail), *follow, container]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return INTERRUPTED


def _found(stack: str, service: str | None, text: str, since: str, most: int) -> int:
    short = chosen(connect(), stack, service).name.removeprefix(f"aidc-{stack}-") if service else None
    asked = finding.query(text, short, since, most)
    with session.reporting():
        found = running.read(stack)
        url, password = found.endpoint("logs"), found.access["logs"][READER]
    lines = finding.shown(finding.ask(url, password, found.ca_path, asked))
    for line in lines:
        say(line)
    if not lines:
        say(f"nothing within {since}; SINCE=7d looks further back; what jobs print is in `make logs JOB=…`")
    return OK if lines else FAILED


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
        say(f"job {identifier}: {following.ended(end)}")
    return end.code
