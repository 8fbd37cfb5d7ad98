"""Asks every TLS listener for its certificate. Effects: connects from this host, which is not filtered."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from cryptography import x509

from audit.certificates.expiry import Certificate, Listener
from components.runtime import tls
from components.runtime.tls import Handshake

TIMEOUT = 4.0


def ask(listeners: Sequence[Listener], ca_pem: str) -> list[Certificate]:
    """Every listener's certificate, verified against the stack's authority and its own name."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(lambda listener: certificate(listener, ca_pem), listeners))


def certificate(listener: Listener, ca_pem: str) -> Certificate:
    """One listener. If it does not verify, it is asked again without verifying, to describe what it shows."""
    try:
        return _described(listener, "", _handshake(listener, tls.verifying(ca_pem=ca_pem)))
    except ssl.SSLCertVerificationError as error:
        fault = f"does not verify: {error.verify_message}"
    except (OSError, ValueError) as error:
        return Certificate(listener, f"no TLS: {_reason(error)}")
    try:
        return _described(listener, fault, _handshake(listener, tls.describing()))
    except (OSError, ValueError):
        return Certificate(listener, fault)


def _handshake(listener: Listener, context: ssl.SSLContext) -> Handshake:
    return tls.handshake(listener.address, listener.port, listener.name, context, TIMEOUT)


def _described(listener: Listener, fault: str, shown: Handshake) -> Certificate:
    found = x509.load_der_x509_certificate(shown.certificate)
    days = (found.not_valid_after_utc - datetime.now(UTC)).days
    return Certificate(listener, fault, days, _names(found), shown.protocol)


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or error or type(error).__name__)
