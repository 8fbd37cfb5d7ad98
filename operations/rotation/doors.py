"""Whether a login opens a service: at the load balancer, and at the service's own door behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from components.planning.tracking import authorization
from components.runtime import tls
from operations.rotation.subject import Subject

TIMEOUT = 10.0
# Takes the header Authorization, and gives the status.
Door = Callable[[str], str]


def proof(subject: Subject, user: str, secret: str, doors: Mapping[str, Door]) -> Iterator[str]:
    """Faults unless each of `doors`, by what a person calls it, opens with the new password of `user` alone.

    `secret`: the password's name.
    """
    for where, ask in doors.items():
        if (status := ask(authorization(user, subject.value(secret)))) != "200":
            yield f"{where} does not accept the new password: {status}"
        if (status := ask(authorization(user, subject.old(secret)))) != "401":
            yield f"{where} does not refuse the old password: {status}"


def outside(subject: Subject, endpoint: str, path: str, header: str) -> str:
    """The status of `path` at a published endpoint, or why there is none."""
    context = tls.verifying(ca_file=subject.ca_file)
    try:
        status = tls.status(subject.endpoint(endpoint), context, TIMEOUT, path, {"Authorization": header})
    except tls.NO_ANSWER as error:
        return str(error) or type(error).__name__
    return str(status)


def inside(
    subject: Subject, service: str, command: list[str], header: str, more: Mapping[str, str] | None = None
) -> str:
    """The status that `command` prints in the service's own container; it finds the header in $LOGIN.

    `more`: further variables for it.
    """
    _, text = subject.run(subject.container(service), command, {"LOGIN": header, **(more or {})})
    return " / ".join(text.strip().splitlines()[-1:]) or "no answer"
