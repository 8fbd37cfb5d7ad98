"""Proof of a rotation: each new value works and each old one is refused, as the services themselves answer.

A check yields a sentence for each fault, and nothing when all is well. Services load new files within
seconds: each is asked until it has no fault left.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from components.backup import WRITER
from components.planning import pki
from components.planning.flows import MINIO, VAULT
from components.runtime import tls
from components.runtime.files import FILES_DIR
from operations.polling import poll
from operations.rotation import databases, home, identities, logs, monitoring, notebook, tracking
from operations.rotation.subject import Subject

TIMEOUT = 5.0
HTTPS = 443
# Only the old password, which nothing accepts any more, is ever passed in this way.
ASK_VAULT = (
    'printf \'user = "%s"\\n\' "$OLD" | curl --config - --silent --output /dev/null --max-time 5 '
    f"--write-out '%{{http_code}}' --cacert {FILES_DIR}/ca.crt https://127.0.0.1:{VAULT}/{WRITER}/config"
)


def certificates(subject: Subject) -> Iterator[str]:
    """Every service that speaks TLS shows the newest certificate, signed by the authority in use."""
    for name in ("inference", "s3", "ray", "tracking", "monitoring", "logs", "home"):
        pem = _shown(subject.endpoint(name), subject.ca_file)
        yield from _faults(subject, "load-balancer", f"the endpoint {name}", pem)
    for node in subject.plan.by_role("object-store"):
        url, ca = f"https://127.0.0.1:{MINIO}/minio/health/live", f"{FILES_DIR}/certs/CAs/ca.crt"
        yield from _faults(
            subject, "object-store", node.name, _shown_inside(subject, node.container, url, ca)
        )
    yield from _faults(subject, "database", "database", databases.certificate(subject))
    yield from _faults(subject, "tracking", "tracking", tracking.certificate(subject))
    shown = _shown_inside(subject, subject.container("metrics"), monitoring.URL, f"{FILES_DIR}/ca.crt")
    yield from _faults(subject, "metrics", "metrics", shown)
    shown = _shown_inside(subject, subject.container("logs"), logs.URL, f"{FILES_DIR}/ca.crt")
    yield from _faults(subject, "logs", "logs", shown)
    shown = _shown_inside(subject, subject.container("alerts"), monitoring.ALERTS_URL, f"{FILES_DIR}/ca.crt")
    yield from _faults(subject, "alerts", "alerts", shown)
    yield from _faults(subject, "home", "home", home.certificate(subject))
    url, ca = f"https://127.0.0.1:{VAULT}/", f"{FILES_DIR}/ca.crt"
    yield from _faults(subject, "vault", "vault", _shown_inside(subject, subject.container("vault"), url, ca))


def _shown(url: str, ca_file: str) -> str:
    """The certificate (PEM) that a verified connection is shown; empty when no connection verifies."""
    place, context = urlsplit(url), tls.verifying(ca_file=ca_file)
    host = place.hostname or ""
    try:
        return tls.handshake(host, place.port or HTTPS, host, context, TIMEOUT).pem
    except OSError:
        return ""


def _shown_inside(subject: Subject, container: str, url: str, ca: str) -> str:
    command = ["curl", "--silent", "--max-time", "5", "--cacert", ca, "--output", "/dev/null"]
    return tls.first_pem(subject.engine.output(container, [*command, "--write-out", "%{certs}", url]) or "")


def _faults(subject: Subject, service: str, where: str, pem: str) -> Iterator[str]:
    if not pem:
        yield f"{where} shows no certificate that can be verified"
        return
    shown, generations = x509.load_pem_x509_certificate(pem.encode()), subject.generations
    issuer = shown.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    number = pki.serial(subject.seed, service, generations.renewed, generations.of("certificates"))
    if shown.serial_number != number:
        yield f"{where} still shows the old certificate"
    elif issuer != pki.authority_name(subject.plan.stack, generations.of("authority")):
        yield f"{where} still shows a certificate of the old authority"


def vault_writer(subject: Subject) -> Iterator[str]:
    """The backup reaches the vault with the new password; the vault refuses the old one."""
    yield from _opens(subject)
    pair = {"OLD": f"{WRITER}:{subject.old('vault/writer')}"}
    _, status = subject.run(subject.container("vault"), ["sh", "-c", ASK_VAULT], pair)
    if status != "401":
        yield f"the old password is not refused: HTTP {status}"


def vault_repository(subject: Subject) -> Iterator[str]:
    """The new password opens the repository, the old one does not."""
    yield from _opens(subject)
    if (
        subject.engine.output(
            subject.container("backup"),
            ["restic", "--password-file", f"{FILES_DIR}/repository-password-before", "cat", "config"],
        )
        is not None
    ):
        yield "the old password still opens the repository"


def _opens(subject: Subject) -> Iterator[str]:
    if subject.engine.output(subject.container("backup"), ["restic", "cat", "config"]) is None:
        yield "the backup cannot open its repository"


def ray_token(subject: Subject) -> Iterator[str]:
    """Ray's API answers to the new token, and refuses the old one."""
    if (status := _answer(subject, "ray", "/api/jobs/", subject.value("ray/token"))) != 200:
        yield f"the new token is not accepted: HTTP {status}"
    if (status := _answer(subject, "ray", "/api/jobs/", subject.old("ray/token"))) not in (401, 403):
        yield f"the old token is not refused: HTTP {status}"


def inference_token(subject: Subject) -> Iterator[str]:
    """The load balancer lets the new token through, whatever is behind it, and refuses the old one."""
    if (status := _answer(subject, "inference", "/", subject.value("inference/token"))) in (0, 401):
        yield f"the new token is not accepted: HTTP {status}"
    if (status := _answer(subject, "inference", "/", subject.old("inference/token"))) != 401:
        yield f"the old token is not refused: HTTP {status}"


def _answer(subject: Subject, endpoint: str, path: str, token: str) -> int:
    """The status of a request with `token`; 0 without an answer."""
    context, headers = tls.verifying(ca_file=subject.ca_file), {"Authorization": f"Bearer {token}"}
    try:
        return tls.status(subject.endpoint(endpoint), context, TIMEOUT, path, headers)
    except tls.NO_ANSWER:
        return 0


def s3_tracking(subject: Subject) -> Iterator[str]:
    """Both the store and the server that uses it agree on the new key."""
    yield from identities.proof(subject, "s3/tracking")
    yield from tracking.store_proof(subject)


CHECKS: Mapping[str, Callable[[Subject], Iterator[str]]] = {
    "certificates": certificates,
    "authority": certificates,
    "inference/token": inference_token,
    **{name: partial(identities.proof, name=name) for name in identities.NAMES},
    "s3/tracking": s3_tracking,
    **{name: partial(databases.proof, name=name) for name in databases.NAMES},
    **{name: partial(tracking.proof, name=name) for name in tracking.NAMES},
    "monitoring/viewer": monitoring.proof,
    "monitoring/alerts": monitoring.alerts_proof,
    "monitoring/home": home.proof,
    "logs/reader": logs.proof,
    "notebook/login": notebook.proof,
    "vault/writer": vault_writer,
    "vault/repository": vault_repository,
    "ray/token": ray_token,
}


def wait(check: Callable[[Subject], Iterator[str]], subject: Subject, timeout: float) -> list[str]:
    """Repeat `check` until it finds no fault; the faults that are left after `timeout` seconds."""
    return poll(lambda: list(check(subject)), timeout, until=operator.not_)
