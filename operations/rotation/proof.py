"""Proof of a rotation: each new value works, each old one is refused, asked of the services themselves.

A check yields what is not as it should be, and nothing when all is. Services take new files up in seconds:
each is asked until there is nothing amiss.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from components.backup import WRITER
from components.planning import pki
from components.planning.flows import MINIO, VAULT
from components.runtime.files import FILES_DIR
from operations.rotation import identities
from operations.rotation.subject import Subject

TIMEOUT = 5.0
# Only the old password, which nobody takes any more, is ever passed in this way.
ASK_VAULT = (
    'printf \'user = "%s"\\n\' "$OLD" | curl --config - --silent --output /dev/null --max-time 5 '
    f"--write-out '%{{http_code}}' --cacert {FILES_DIR}/ca.crt https://127.0.0.1:{VAULT}/{WRITER}/config"
)


def certificates(subject: Subject) -> Iterator[str]:
    """Every service that speaks TLS shows the newest certificate, signed by the authority in use."""
    for name in ("inference", "s3", "ray"):
        pem = _shown(subject.endpoint(name), subject.ca_file)
        yield from _other(subject, "load-balancer", f"the endpoint {name}", pem)
    for node in subject.plan.by_role("object-store"):
        url, ca = f"https://127.0.0.1:{MINIO}/minio/health/live", f"{FILES_DIR}/certs/CAs/ca.crt"
        yield from _other(subject, "object-store", node.name, _shown_inside(subject, node.container, url, ca))
    url, ca = f"https://127.0.0.1:{VAULT}/", f"{FILES_DIR}/ca.crt"
    yield from _other(subject, "vault", "vault", _shown_inside(subject, subject.container("vault"), url, ca))


def _shown(url: str, ca_file: str) -> str:
    """The certificate that a verified connection gets, PEM; empty when there is no such connection."""
    place = urlsplit(url)
    context = ssl.create_default_context(cafile=ca_file)
    try:
        raw = socket.create_connection((place.hostname, place.port), timeout=TIMEOUT)
        with context.wrap_socket(raw, server_hostname=place.hostname) as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def _shown_inside(subject: Subject, container: str, url: str, ca: str) -> str:
    command = ["curl", "--silent", "--max-time", "5", "--cacert", ca, "--output", "/dev/null"]
    text = subject.engine.output(container, [*command, "--write-out", "%{certs}", url]) or ""
    _, begin, rest = text.partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    return begin + body + end


def _other(subject: Subject, service: str, where: str, pem: str) -> Iterator[str]:
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
    _, status = subject.engine.run(subject.container("vault"), ["sh", "-c", ASK_VAULT], pair)
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
        yield f"the new token is not taken: HTTP {status}"
    if (status := _answer(subject, "ray", "/api/jobs/", subject.old("ray/token"))) not in (401, 403):
        yield f"the old token is not refused: HTTP {status}"


def inference_token(subject: Subject) -> Iterator[str]:
    """The load balancer lets the new token through, whatever is behind it, and refuses the old one."""
    if (status := _answer(subject, "inference", "/", subject.value("inference/token"))) in (0, 401):
        yield f"the new token is not taken: HTTP {status}"
    if (status := _answer(subject, "inference", "/", subject.old("inference/token"))) != 401:
        yield f"the old token is not refused: HTTP {status}"


def _answer(subject: Subject, endpoint: str, path: str, token: str) -> int:
    """The status of a request with `token`; 0 without an answer."""
    place = urlsplit(subject.endpoint(endpoint))
    context = ssl.create_default_context(cafile=subject.ca_file)
    connection = HTTPSConnection(place.hostname or "", place.port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


CHECKS: Mapping[str, Callable[[Subject], Iterator[str]]] = {
    "certificates": certificates,
    "authority": certificates,
    "inference/token": inference_token,
    **{name: partial(identities.proof, name=name) for name in identities.NAMES},
    "vault/writer": vault_writer,
    "vault/repository": vault_repository,
    "ray/token": ray_token,
}


def wait(check: Callable[[Subject], Iterator[str]], subject: Subject, timeout: float) -> list[str]:
    """Ask until nothing is amiss; what still is after `timeout` seconds comes back."""
    deadline = time.monotonic() + timeout
    while True:
        faults = list(check(subject))
        if not faults or time.monotonic() > deadline:
            return faults
        time.sleep(1)
