"""Stop a job: its script gets SIGTERM, and SIGKILL two and a half seconds later.

A job that waits ends when its turn comes.

Exit codes: 0 it has ended; 1 it has not, or the stack is not up; 2 there is no such job.
"""

from __future__ import annotations

from operations.errors import FAILED, OK
from operations.jobs import session
from operations.overview import telling
from operations.process import say, warn


def main(stack: str, job: str) -> int:
    opened = session.connect(stack)
    with session.reporting():
        found = session.find(opened.ray, job)
        identifier = str(found["submission_id"])
        if found["status"] in session.ENDED:
            say(f"job {identifier} has ended already: {found['status'].lower()}")
            return OK
        status = session.stop(opened.ray, identifier)
    telling.tell_jobs(stack, opened)
    if status not in session.ENDED:
        if status == "PENDING":
            say(f"job {identifier} has not begun; it ends when its turn comes")
            return OK
        warn(f"job {identifier}: has not ended yet: {status.lower()}; fix: try again")
        return FAILED
    say(f"job {identifier}: {status.lower()}")
    return OK
