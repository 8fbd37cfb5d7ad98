"""Proof that a user's new password opens experiment tracking and the old one does not: at the load balancer,
and at MLflow's own door behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from components.planning.flows import MLFLOW
from components.planning.tracking import ADMIN, USERS, authorization, secret_of
from components.runtime import tls
from components.runtime.files import FILES_DIR
from operations.rotation import doors
from operations.rotation.subject import Subject

NAMES: Mapping[str, str] = {secret_of(user): user for user in USERS}
PATH = "/api/2.0/mlflow/experiments/search?max_results=1"
LISTING = "/api/2.0/mlflow-artifacts/artifacts?path=none"
# In the server's own container, which no balancer guards. The header comes as a variable, not as an argument.
ASK = f"""
import os, ssl
from http.client import HTTPSConnection
context = ssl.create_default_context(cafile="{FILES_DIR}/ca.crt")
connection = HTTPSConnection("localhost", {MLFLOW}, timeout=10, context=context)
connection.request("GET", "{PATH}", headers={{"Authorization": os.environ["LOGIN"]}})
print(connection.getresponse().status)
"""
SHOW = (
    f"openssl s_client -connect localhost:{MLFLOW} -servername tracking -verify_return_error "
    f"-verify_hostname tracking -CAfile {FILES_DIR}/ca.crt </dev/null 2>/dev/null"
)


def proof(subject: Subject, name: str) -> Iterator[str]:
    """`name` is one of NAMES."""
    opened = {
        "the load balancer": partial(doors.outside, subject, "tracking", PATH),
        "MLflow": partial(doors.inside, subject, "tracking", ["python3", "-c", ASK]),
    }
    return doors.proof(subject, NAMES[name], name, opened)


def store_proof(subject: Subject) -> Iterator[str]:
    """The server reaches its bucket with the new key: it lists the artefacts of no run."""
    login = authorization(ADMIN, subject.value(secret_of(ADMIN)))
    if (status := doors.outside(subject, "tracking", LISTING, login)) != "200":
        yield f"the tracking server does not reach its bucket: {status}"


def certificate(subject: Subject) -> str:
    """The certificate that a verified connection gets, PEM; empty when there is no such connection."""
    return tls.first_pem(subject.engine.output(subject.container("tracking"), ["bash", "-c", SHOW]) or "")
