"""TLS connections from this host to a service: the certificate that it shows, and the status that it answers.

Effects: connects. The host is not filtered by the stack's firewall. Every function takes its time-out, in
seconds for each step, from its caller.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

# What `status` raises when there is no answer.
NO_ANSWER = (OSError, HTTPException)


@dataclass(frozen=True)
class Handshake:
    """What a listener showed: its certificate (DER) and the protocol's version, such as `TLSv1.3`."""

    certificate: bytes
    protocol: str

    @property
    def pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.certificate)


def verifying(*, ca_pem: str | None = None, ca_file: str | None = None) -> ssl.SSLContext:
    """A context that trusts these authorities and checks the listener's name."""
    return ssl.create_default_context(cafile=ca_file, cadata=ca_pem)


def describing() -> ssl.SSLContext:
    """A context that verifies nothing: only for describing a certificate that has failed to verify."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def handshake(address: str, port: int, name: str, context: ssl.SSLContext, timeout: float) -> Handshake:
    """Connect, shake hands for `name` and leave.

    Raises:
        ssl.SSLCertVerificationError: the certificate does not verify.
        OSError, ValueError: there is no TLS connection.
    """
    with (
        socket.create_connection((address, port), timeout=timeout) as raw,
        context.wrap_socket(raw, server_hostname=name) as tls,
    ):
        return Handshake(tls.getpeercert(binary_form=True) or b"", tls.version() or "")


def first_pem(text: str) -> str:
    """The first certificate in what a TLS client printed, PEM; empty when there is none."""
    _, begin, rest = text.partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    return begin + body + end


def status(
    url: str,
    context: ssl.SSLContext,
    timeout: float,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
) -> int:
    """The HTTP status of a GET of `path` at the host and port of `url`. Raises one of NO_ANSWER."""
    place = urlsplit(url)
    connection = HTTPSConnection(place.hostname or "", place.port, timeout=timeout, context=context)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()
