"""Every password and key of a stack, derived from its one seed. Pure.

HKDF-SHA256 (RFC 5869) gives each name an independent value, so that one Pulumi secret holds them all, a
preview knows them, and nothing is stored twice. A new `generation` of a name rotates that value alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

import bcrypt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def check_seed(seed: str) -> str:
    """Return the seed, 64 hexadecimal digits (256 bits); raise ValueError (without the value) otherwise."""
    if not re.fullmatch(r"[0-9a-f]{64}", seed):
        raise ValueError("the seed is not 64 lower-case hexadecimal digits")
    return seed


def derive(seed: str, name: str, length: int = 32, generation: int = 1) -> bytes:
    """`length` bytes for `name`, independent of those of every other name and generation."""
    info = f"aidc/{name}/{generation}".encode()
    return HKDF(SHA256(), length, salt=None, info=info).derive(bytes.fromhex(check_seed(seed)))


# 240 bits: the longest secret key that MinIO accepts.
PASSWORD_BYTES = 30
# The suffix that turns a password's name into that of its access key id.
ACCESS_KEY = "/access-key"


def password(seed: str, name: str, generation: int = 1) -> str:
    """40 URL-safe characters."""
    return base64.urlsafe_b64encode(derive(seed, name, PASSWORD_BYTES, generation)).decode()


# Five bits per character: 32 divides 256, so that all characters are equally likely.
ACCESS_KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ACCESS_KEY_LENGTH = 20


def access_key(seed: str, name: str, generation: int = 1) -> str:
    """The access key id that belongs to the password `name`: 20 upper-case letters and digits, 100 bits.

    As secret as the password: the object store trusts anyone who knows it more than it should.
    """
    raw = derive(seed, f"{name}{ACCESS_KEY}", ACCESS_KEY_LENGTH, generation)
    return "".join(ACCESS_KEY_ALPHABET[byte % len(ACCESS_KEY_ALPHABET)] for byte in raw)


def bcrypt_entry(seed: str, user: str, secret: str) -> str:
    """An htpasswd line. The salt comes from the seed too, so that the file does not change on every run."""
    salt = base64.b64encode(derive(seed, f"bcrypt-salt/{user}", 16)).decode().rstrip("=")
    salt = salt.translate(str.maketrans(_STANDARD, _BCRYPT))
    return f"{user}:{bcrypt.hashpw(secret.encode(), f'$2b$10${salt}'.encode()).decode()}"


def joined(contents: Mapping[str, str]) -> str:
    """Files, path → content, as one text for a fingerprint."""
    return "\0".join(f"{path}\0{contents[path]}" for path in sorted(contents))


def fingerprint(seed: str, content: str) -> str:
    """12 hexadecimal digits that change with `content` and reveal nothing about it without the seed."""
    return hmac.new(derive(seed, "fingerprint"), content.encode(), hashlib.sha256).hexdigest()[:12]
