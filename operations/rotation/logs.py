"""Proof that the reader's new password opens the logs, and the old one does not.

At the load balancer, and at the server behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from components.planning.flows import LOGS
from components.planning.logs import READER, SECRET
from components.runtime.files import FILES_DIR
from operations.rotation import doors
from operations.rotation.subject import Subject

PATH = "/select/logsql/streams?query=*&start=1m"
URL = f"https://localhost:{LOGS}{PATH}"
# In the server's own container. The header comes as a variable, not as an argument.
ASK = (
    'printf \'header = "Authorization: %s"\\n\' "$LOGIN" | curl --config - --silent --output /dev/null '
    f"--max-time 5 --write-out '%{{http_code}}' --cacert {FILES_DIR}/ca.crt '{URL}'"
)


def proof(subject: Subject) -> Iterator[str]:
    """Both doors open with the new password alone."""
    opened: dict[str, doors.Door] = {
        "the load balancer": partial(doors.outside, subject, "logs", PATH),
        "the logs server": partial(doors.inside, subject, "logs", ["sh", "-c", ASK]),
    }
    return doors.proof(subject, READER, SECRET, opened)
