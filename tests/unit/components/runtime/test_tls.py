"""TLS connections: what a listener shows and answers, and how it fails. It runs on the loopback."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from components.planning import pki
from components.planning.rotation import Generations
from components.runtime import tls
from tests.unit.tls_server import serving

SEED = "ab" * 32
TODAY = datetime.now(UTC).date()
LEAF = pki.leaf(SEED, "test", Generations(TODAY, TODAY), "vault", ("vault", "127.0.0.1"))
AUTHORITY = pki.authority(SEED, "test", TODAY)
OTHER = pki.authority("cd" * 32, "test", TODAY)


def shown(port: int, name: str, context: ssl.SSLContext) -> tls.Handshake:
    return tls.handshake("127.0.0.1", port, name, context, 5)


@pytest.mark.parametrize("name", ["vault", "127.0.0.1"])
def test_a_verified_listener_shows_its_certificate(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, LEAF) as port:
        found = shown(port, name, tls.verifying(ca_pem=AUTHORITY))
    assert found.protocol.startswith("TLSv1.")
    assert x509.load_der_x509_certificate(found.certificate) == x509.load_pem_x509_certificate(
        found.pem.encode()
    )


@pytest.mark.parametrize(("name", "authority"), [("backup", AUTHORITY), ("vault", OTHER)])
def test_another_name_or_authority_does_not_verify(tmp_path: Path, name: str, authority: str) -> None:
    with serving(tmp_path, LEAF) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            shown(port, name, tls.verifying(ca_pem=authority))
        assert shown(port, name, tls.describing()).certificate


def test_an_authority_may_come_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(AUTHORITY)
    with serving(tmp_path, LEAF) as port:
        assert shown(port, "vault", tls.verifying(ca_file=str(file))).certificate


def test_a_listener_without_tls_is_an_oserror(tmp_path: Path) -> None:
    with serving(tmp_path, None) as port, pytest.raises(OSError, match="SSL"):
        shown(port, "vault", tls.describing())


@pytest.mark.parametrize("code", [200, 401, 503])
def test_a_status_is_what_the_server_answers(tmp_path: Path, code: int) -> None:
    answer = f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n".encode()
    with serving(tmp_path, LEAF, answer) as port:
        assert tls.status(f"https://127.0.0.1:{port}", tls.verifying(ca_pem=AUTHORITY), 5) == code


@pytest.mark.parametrize("answer", [b"", b"this is not HTTP\r\n\r\n"])
def test_a_server_that_does_not_answer_in_http_has_no_status(tmp_path: Path, answer: bytes) -> None:
    with serving(tmp_path, LEAF, answer) as port, pytest.raises(tls.NO_ANSWER):
        tls.status(f"https://127.0.0.1:{port}", tls.verifying(ca_pem=AUTHORITY), 5)


@pytest.mark.parametrize("around", ["", "depth=0\n", "\n-----BEGIN CERTIFICATE-----\nsecond"])
def test_the_first_certificate_of_a_clients_output_is_found(around: str) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nfirst\n-----END CERTIFICATE-----"
    assert tls.first_pem(f"{pem}{around}") == pem


def test_output_without_a_certificate_has_none() -> None:
    assert tls.first_pem("connect: Connection refused") == ""
