"""Put a snapshot of the vault back into the running stack: every bucket, every database, or some of them.

The stack must be empty where something is restored: objects and rows that it holds are never overwritten.
Every object is read back and compared with its hash, every table with the rows that were counted when the
backup was made. A restore that was interrupted goes on when it is started again.

Exit codes: 0 restored and compared; 1 something could not be restored; 2 the stack is not up, not empty, or
nobody confirmed: nothing was changed; 3 partial: the snapshot itself lacks something, which is named.
"""

from __future__ import annotations

from operations.restoring.run import request, restore, subject_of
from operations.restoring.when import moment


def main(stack: str, sources: str | None, at: str | None, *, yes: bool) -> int:
    """The exit code. Raises OperationError."""
    at = moment(at) if at else None
    subject = subject_of(stack)
    return restore(subject, request(subject.plan, sources, at), yes=yes)
