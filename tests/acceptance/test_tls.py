"""Every published endpoint: TLS with the stack's certificate, and nothing less."""

import socket
import ssl
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import testinfra
from cryptography import x509

from components.planning import pki


def connect(endpoint: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    parts = urlsplit(endpoint)
    raw = socket.create_connection((parts.hostname, parts.port), timeout=30)
    return context.wrap_socket(raw, server_hostname=parts.hostname)


def test_certificate_verifies_and_is_current(endpoint: str, ca_file: str) -> None:
    with connect(endpoint, ssl.create_default_context(cafile=ca_file)) as tls:
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc


def test_certificate_of_another_authority_is_refused(endpoint: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(endpoint, ssl.create_default_context())


def test_old_protocol_is_refused(endpoint: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    # In the server's own words: a client that cannot speak it either would fail, too.
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        connect(endpoint, context)


def test_plain_http_is_refused(endpoint: str) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(endpoint.replace("https://", "http://"), timeout=30)


@pytest.mark.parametrize("token", [None, "wrong"])
def test_ray_api_needs_the_token(inventory: Any, ca_file: str, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{inventory.endpoints['ray']}/api/jobs/"
    assert requests.get(url, headers=headers, verify=ca_file, timeout=30).status_code in (401, 403)


def test_ray_api_answers_with_the_token(inventory: Any, access: dict[str, Any], ca_file: str) -> None:
    headers = {"Authorization": f"Bearer {access['ray_token']}"}
    url = f"{inventory.endpoints['ray']}/api/jobs/"
    assert requests.get(url, headers=headers, verify=ca_file, timeout=30).status_code == 200


# Where to ask, whom, and what it answers to somebody without credentials.
INSIDE = [
    ("object-store-1", "object-store-2:9000/minio/health/live", "/etc/aidc/certs/CAs/ca.crt", "200"),
    ("vault", "vault:8000/", "/etc/aidc/ca.crt", "401"),
]


@pytest.fixture(params=INSIDE, ids=[place for place, *_ in INSIDE])
def neighbour(request: pytest.FixtureRequest, inventory: Any) -> tuple[Any, str, str, str]:
    """A container with curl, an address without scheme, the file of the authority, and the status."""
    place, address, authority, status = request.param
    container = next(s.container for s in inventory.services if s.name == place)
    return testinfra.get_host(f"docker://{container}"), address, authority, status


def test_inside_too_certificates_verify(neighbour: tuple[Any, str, str, str]) -> None:
    host, address, authority, status = neighbour
    command = f"curl -s -o /dev/null -w '%{{http_code}}' --cacert {authority} https://{address}"
    assert host.check_output(command) == status


def test_inside_too_another_authority_is_refused(neighbour: tuple[Any, str, str, str]) -> None:
    host, address, *_ = neighbour
    cannot_verify = 60
    other = pki.authority("0f" * 32, "other", datetime.now(UTC).date())
    host.check_output("printf %%s %s >/tmp/other.pem", other)
    assert host.run(f"curl -s -o /dev/null --cacert /tmp/other.pem https://{address}").rc == cannot_verify


def test_inside_too_plain_http_is_refused(neighbour: tuple[Any, str, str, str]) -> None:
    host, address, *_ = neighbour
    command = f"curl -s -o /dev/null -w '%{{http_code}}' http://{address}"
    assert host.check_output(command) == "400"
