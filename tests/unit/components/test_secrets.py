"""Derived secrets and certificates: stable, independent, and valid."""

from datetime import UTC, date, datetime
from ipaddress import IPv4Address

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from components import pki, secrets

SEED = "0f" * 32
OTHER = "f0" * 32
ISSUED = date(2026, 1, 1)
DURING = datetime(2026, 6, 1, tzinfo=UTC)


def test_same_name_same_value() -> None:
    assert secrets.password(SEED, "s3/root") == secrets.password(SEED, "s3/root")


def test_name_seed_and_generation_each_change_the_value() -> None:
    values = [
        secrets.password(SEED, "a"),
        secrets.password(SEED, "b"),
        secrets.password(OTHER, "a"),
        secrets.password(SEED, "a", generation=2),
    ]
    assert len(set(values)) == len(values)


def test_password_fits_the_object_store() -> None:
    assert len(secrets.password(SEED, "s3/root")) == 40


def test_known_answer() -> None:
    # Locks the derivation: a change here would change every password of every existing stack.
    assert secrets.derive(SEED, "known-answer", 8).hex() == "2b49db070b7b1ef8"


@pytest.mark.parametrize("seed", ["", "0f" * 31, "0F" * 32, "zz" * 32])
def test_bad_seed_is_refused_without_showing_it(seed: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hexadecimal") as caught:
        secrets.check_seed(seed)
    assert not seed or seed not in str(caught.value)


def test_htpasswd_line_verifies_and_is_stable() -> None:
    line = secrets.bcrypt_entry(SEED, "backup", "pass")
    user, _, hashed = line.partition(":")
    assert (user, bcrypt.checkpw(b"pass", hashed.encode())) == ("backup", True)
    assert line == secrets.bcrypt_entry(SEED, "backup", "pass")


def test_fingerprint_follows_the_content() -> None:
    assert secrets.fingerprint(SEED, "a") == secrets.fingerprint(SEED, "a")
    assert secrets.fingerprint(SEED, "a") != secrets.fingerprint(SEED, "b")
    assert secrets.fingerprint(SEED, "a") != secrets.fingerprint(OTHER, "a")


def test_certificates_are_reproducible() -> None:
    first, second = (pki.leaf(SEED, "dev", ISSUED, "lb", ("localhost",)) for _ in range(2))
    assert first == second


def test_new_issue_date_renews() -> None:
    first = pki.leaf(SEED, "dev", ISSUED, "lb", ("localhost",))
    assert first.certificate != pki.leaf(SEED, "dev", date(2026, 2, 1), "lb", ("localhost",)).certificate


@pytest.mark.parametrize("name", [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
def test_leaf_verifies_against_the_authority(name: x509.DNSName | x509.IPAddress) -> None:
    leaf = pki.leaf(SEED, "dev", ISSUED, "lb", ("localhost", "127.0.0.1"))
    root = x509.load_pem_x509_certificate(leaf.authority.encode())
    verifier = PolicyBuilder().store(Store([root])).time(DURING).build_server_verifier(name)
    chain = verifier.verify(x509.load_pem_x509_certificate(leaf.certificate.encode()), [])
    assert chain[-1] == root


def test_key_belongs_to_the_certificate() -> None:
    leaf = pki.leaf(SEED, "dev", ISSUED, "lb", ("localhost",))
    key = serialization.load_pem_private_key(leaf.key.encode(), None)
    assert key.public_key() == x509.load_pem_x509_certificate(leaf.certificate.encode()).public_key()
