"""Proof that new passwords of the monitoring are accepted and old ones are not.

The viewer's shows the metrics and the front door, at the load balancer and at the servers behind it; that of
the metrics server opens Alertmanager.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from components.planning import receivers
from components.planning.flows import ALERTMANAGER, METRICS
from components.planning.monitoring import SECRET, VIEWER
from components.runtime.files import FILES_DIR
from operations.rotation import doors, home
from operations.rotation.subject import Subject

PATH = "/api/v1/status/buildinfo"
URL = f"https://localhost:{METRICS}{PATH}"
ALERTS_URL = f"https://localhost:{ALERTMANAGER}/-/healthy"
# In the server's own container. The header comes as a variable, not as an argument.
ASK_FOR = (
    'printf \'header = "Authorization: %s"\\n\' "$LOGIN" | curl --config - --silent --output /dev/null '
    f"--max-time 5 --write-out '%{{http_code}}' --cacert {FILES_DIR}/ca.crt "
)
ASK = ASK_FOR + URL


def proof(subject: Subject) -> Iterator[str]:
    """Both doors open with the new password alone."""
    opened: dict[str, doors.Door] = {
        "the load balancer": partial(doors.outside, subject, "monitoring", PATH),
        "the metrics server": partial(doors.inside, subject, "metrics", ["sh", "-c", ASK]),
        **home.doors_of(subject),
    }
    return doors.proof(subject, VIEWER, SECRET, opened)


def alerts_proof(subject: Subject) -> Iterator[str]:
    """Alertmanager opens with the new password alone."""
    opened = {"Alertmanager": partial(doors.inside, subject, "alerts", ["sh", "-c", ASK_FOR + ALERTS_URL])}
    return doors.proof(subject, receivers.USER, receivers.SECRET, opened)
