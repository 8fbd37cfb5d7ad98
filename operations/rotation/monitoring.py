"""Proof that the viewer's new password shows the metrics and the old one does not.

At the load balancer, and at the metrics server behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.planning.flows import METRICS
from components.planning.monitoring import SECRET, VIEWER
from components.planning.tracking import authorization
from components.runtime import tls
from components.runtime.files import FILES_DIR
from operations.rotation.subject import Subject

TIMEOUT = 10.0
PATH = "/api/v1/status/buildinfo"
URL = f"https://localhost:{METRICS}{PATH}"
# In the server's own container. The header comes as a variable, not as an argument.
ASK = (
    'printf \'header = "Authorization: %s"\\n\' "$LOGIN" | curl --config - --silent --output /dev/null '
    f"--max-time 5 --write-out '%{{http_code}}' --cacert {FILES_DIR}/ca.crt {URL}"
)


def proof(subject: Subject) -> Iterator[str]:
    """Both doors open with the new password alone."""
    for where, ask in (("the load balancer", _outside), ("the metrics server", _inside)):
        if (status := ask(subject, authorization(VIEWER, subject.value(SECRET)))) != "200":
            yield f"{where} does not accept the new password: {status}"
        if (status := ask(subject, authorization(VIEWER, subject.old(SECRET)))) != "401":
            yield f"{where} does not refuse the old password: {status}"


def _outside(subject: Subject, header: str) -> str:
    context = tls.verifying(ca_file=subject.ca_file)
    try:
        status = tls.status(subject.endpoint("monitoring"), context, TIMEOUT, PATH, {"Authorization": header})
    except tls.NO_ANSWER as error:
        return str(error) or type(error).__name__
    return str(status)


def _inside(subject: Subject, header: str) -> str:
    _, text = subject.run(subject.container("metrics"), ["sh", "-c", ASK], {"LOGIN": header})
    return " / ".join(text.strip().splitlines()[-1:]) or "no answer"
