"""Derived secrets and certificates: stable, independent, and valid."""

import re
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from components.planning import pki, secrets
from components.planning.rotation import Generations

SEED = "0f" * 32
OTHER = "f0" * 32
ISSUED = date(2026, 1, 1)
FIRST = Generations(ISSUED, ISSUED)
DURING = datetime(2026, 6, 1, tzinfo=UTC)


def after(renewed: date = ISSUED, **counts: int) -> Generations:
    return Generations(ISSUED, renewed, counts)


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
    assert secrets.password(SEED, "s3/root") == "_w9_MN9AP7KoTKA5uRStCBv1Stajui6bre97Gk4B"


def test_an_access_key_id_is_as_long_as_those_of_other_stores() -> None:
    assert re.fullmatch("[A-Z2-7]{20}", secrets.access_key(SEED, "s3/root"))


def test_known_access_key_id() -> None:
    # Locks the derivation: a change here would change every identity of every existing stack.
    assert secrets.access_key(SEED, "s3/root") == "JAZCT32MF7K7BZKS32YG"


def test_an_access_key_id_is_new_with_name_seed_and_generation() -> None:
    values = {
        secrets.access_key(SEED, "s3/client"),
        secrets.access_key(SEED, "s3/compute"),
        secrets.access_key(OTHER, "s3/client"),
        secrets.access_key(SEED, "s3/client", generation=2),
    }
    assert len(values) == 4


def test_an_access_key_id_tells_nothing_of_its_key() -> None:
    assert secrets.derive(SEED, "s3/client/access-key", 20) != secrets.derive(SEED, "s3/client", 20)


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
    first, second = (pki.leaf(SEED, "dev", FIRST, "lb", ("localhost",)) for _ in range(2))
    assert first == second


def parsed(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


def test_a_stack_that_was_never_rotated_keeps_its_certificates() -> None:
    # Locks key, certificate and authority: a change here would replace them in every existing stack.
    leaf = pki.leaf(SEED, "dev", FIRST, "lb", ("localhost", "127.0.0.1"))
    digests = [
        sha256(text.encode()).hexdigest()[:16] for text in (leaf.certificate, leaf.key, leaf.authority)
    ]
    assert digests == ["2dbd3853147320d4", "7bc1bf9e00c96071", "32b92878853991ce"]


def test_a_rotation_gives_new_key_serial_and_dates_and_keeps_the_authority() -> None:
    first = pki.leaf(SEED, "dev", FIRST, "lb", ("localhost",))
    second = pki.leaf(SEED, "dev", after(date(2026, 2, 1), certificates=2), "lb", ("localhost",))
    (old,), (new,) = parsed(first.certificate), parsed(second.certificate)
    assert old.public_key() != new.public_key()
    assert old.serial_number != new.serial_number
    assert new.not_valid_before_utc - old.not_valid_before_utc == timedelta(days=31)
    assert second.authority == first.authority


def test_two_rotations_in_a_day_differ() -> None:
    second, third = (
        pki.leaf(SEED, "dev", after(certificates=number), "lb", ("localhost",)) for number in (2, 3)
    )
    assert parsed(second.certificate)[0].serial_number != parsed(third.certificate)[0].serial_number


@pytest.mark.parametrize("number", [1, 2, 3])
def test_everybody_trusts_the_authority_in_use_and_its_neighbours(number: int) -> None:
    trusted = parsed(pki.trusted(SEED, "dev", after(authority=number)))
    wanted = [pki.authority(SEED, "dev", ISSUED, n) for n in (number - 1, number, number + 1) if n]
    assert trusted == [parsed(pem)[0] for pem in wanted]


def test_who_has_not_seen_a_rotation_yet_trusts_the_new_certificates() -> None:
    root = parsed(pki.trusted(SEED, "dev", FIRST))
    leaf = pki.leaf(SEED, "dev", after(authority=2), "lb", ("localhost",))
    verifier = (
        PolicyBuilder().store(Store(root)).time(DURING).build_server_verifier(x509.DNSName("localhost"))
    )
    assert verifier.verify(parsed(leaf.certificate)[0], [])[-1] == root[1]


def test_a_later_authority_outlives_the_one_before() -> None:
    ends = [parsed(pki.authority(SEED, "dev", ISSUED, n))[0].not_valid_after_utc for n in (1, 2)]
    assert ends[1] - ends[0] == timedelta(days=pki.CA_YEARS * 365)


@pytest.mark.parametrize("name", [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
def test_leaf_verifies_against_the_authority(name: x509.DNSName | x509.IPAddress) -> None:
    leaf = pki.leaf(SEED, "dev", FIRST, "lb", ("localhost", "127.0.0.1"))
    root = x509.load_pem_x509_certificate(leaf.authority.encode())
    verifier = PolicyBuilder().store(Store([root])).time(DURING).build_server_verifier(name)
    chain = verifier.verify(x509.load_pem_x509_certificate(leaf.certificate.encode()), [])
    assert chain[-1] == root


def test_key_belongs_to_the_certificate() -> None:
    leaf = pki.leaf(SEED, "dev", FIRST, "lb", ("localhost",))
    key = serialization.load_pem_private_key(leaf.key.encode(), None)
    assert key.public_key() == x509.load_pem_x509_certificate(leaf.certificate.encode()).public_key()
