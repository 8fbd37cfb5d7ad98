"""The stack's private certificate authority and its leaf certificates. Pure.

Keys come from the seed and signatures are deterministic (RFC 6979): the same seed, dates and generations give
the same bytes, so a second `pulumi up` changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components.planning.rotation import Generations
from components.planning.secrets import derive

CA_YEARS = 10
LEAF_DAYS = 397
# Order of the NIST P-256 group: a private key is a number from 1 to this minus 1.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Certificate:
    """PEM texts. `bundle` is the single file that HAProxy reads: leaf, authority, key."""

    key: str
    certificate: str
    authority: str

    @property
    def bundle(self) -> str:
        return self.certificate + self.authority + self.key


def private_key(seed: str, name: str, generation: int) -> ec.EllipticCurvePrivateKey:
    """The key of a service, or of the `authority`."""
    number = int.from_bytes(derive(seed, f"key/{name}", 48, generation)) % (_P256_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A private key in the form that services read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "aidc"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def serial(seed: str, subject: str, issued: date, generation: int) -> int:
    """The serial number of a certificate, by which it can be recognised."""
    return int.from_bytes(derive(seed, f"serial/{subject}/{issued}", 16, generation)) >> 1


def _builder(subject: str, issuer: str, number: int, issued: date, days: int) -> x509.CertificateBuilder:
    start = datetime(issued.year, issued.month, issued.day, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(subject))
        .issuer_name(_subject(issuer))
        .serial_number(number)
        # A day of slack for clocks that are slow.
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=days))
    )


def authority_name(stack: str, generation: int) -> str:
    """The common name of a CA."""
    return f"aidc {stack} authority" + (f" {generation}" if generation > 1 else "")


def authority(seed: str, stack: str, issued: date, generation: int = 1) -> str:
    """A CA certificate of a stack, PEM. Its key never leaves this module.

    Each is valid ten years longer than the one before, because it is distributed before it is needed.
    """
    key = private_key(seed, "authority", generation)
    name = authority_name(stack, generation)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    number = serial(seed, name, issued, generation)
    certificate = (
        _builder(name, name, number, issued, CA_YEARS * 365 * generation)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def trusted(seed: str, stack: str, generations: Generations) -> str:
    """The CA certificates that every service and client trusts, PEM: the current one and its neighbours.

    The next one is trusted before it signs anything, and the previous one for one more rotation: while a
    rotation proceeds, all services trust each other, in whatever order they are updated.
    """
    current = generations.of("authority")
    numbers = range(max(1, current - 1), current + 2)
    return "".join(authority(seed, stack, generations.issued, number) for number in numbers)


def leaf(
    seed: str, stack: str, generations: Generations, service: str, names: tuple[str, ...]
) -> Certificate:
    """A server certificate for `service`, valid for `names` (DNS names and IPv4 addresses)."""
    signing, generation = generations.of("authority"), generations.of("certificates")
    signer, key = private_key(seed, "authority", signing), private_key(seed, service, generation)
    number = serial(seed, service, generations.renewed, generation)
    entries = [_general_name(name) for name in names]
    extended = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = (
        _builder(service, authority_name(stack, signing), number, generations.renewed, LEAF_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(entries), critical=False)
        .add_extension(extended, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256(), ecdsa_deterministic=True)
    )
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Certificate(pem(key), text, authority(seed, stack, generations.issued, signing))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(IPv4Address(str(ip_address(name))))
    except ValueError:
        return x509.DNSName(name)
