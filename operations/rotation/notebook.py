"""Proof that the notebook's new password is accepted, and the old one is not.

At the load balancer, which asks before it looks for a notebook. The node's own door reads the digest of the
login at each request.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.planning.notebook import SECRET, USER
from components.planning.tracking import authorization
from operations.rotation import doors
from operations.rotation.subject import Subject

PATH = "/api/status"
# With a notebook, and where none runs now.
ACCEPTED = ("200", "503")


def proof(subject: Subject) -> Iterator[str]:
    """Nothing to ask where no notebook is allowed: nothing listens."""
    if not subject.plan.config.notebook.enabled:
        return
    new = doors.outside(subject, "notebook", PATH, authorization(USER, subject.value(SECRET)))
    if new not in ACCEPTED:
        yield f"the notebook does not accept the new password: {new}"
    old = doors.outside(subject, "notebook", PATH, authorization(USER, subject.old(SECRET)))
    if old != "401":
        yield f"the notebook does not refuse the old password: {old}"
