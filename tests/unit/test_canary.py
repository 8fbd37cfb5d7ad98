"""The search for secrets finds what it is there to find."""

import base64
import gzip
import os
from urllib.parse import quote_from_bytes

import pytest

from tests.acceptance.canary import derived, forms, needles, search, values

SEED = "0f" * 32
SECRET = bytes(range(200, 230))


@pytest.mark.parametrize("around", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: text.hex().encode(),
        lambda text: text.hex().upper().encode(),
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda text: quote_from_bytes(text, safe="").encode(),
        gzip.compress,
    ],
    ids=["raw", "hex", "HEX", "base64", "base64url", "url", "gzip"],
)
def test_every_form_is_found(written, around: bytes) -> None:  # type: ignore[no-untyped-def]
    haystack = written(around + SECRET + around[::-1])
    assert search(haystack, needles({"s": [SECRET]})) == {"s"}


def test_something_else_is_not_found() -> None:
    assert search(os.urandom(100_000), needles({"s": [SECRET]})) == set()


def test_no_form_is_short_enough_to_be_found_by_chance() -> None:
    every = needles(values("dev", SEED))
    assert min(map(len, every)) >= 16


def test_every_secret_of_the_program_is_looked_for() -> None:
    names = {name for name, _length, _generation in derived("dev")}
    assert {
        "s3/root",
        "s3/root/access-key",
        "s3/client/access-key",
        "s3/encryption",
        "vault/repository",
        "ray/token",
        "key/authority",
        "key/vault",
    } <= names


def test_a_private_key_is_found_in_its_file() -> None:
    from components.planning import pki  # noqa: PLC0415

    text = pki.pem(pki.private_key(SEED, "vault", 1)).encode()
    assert "key/vault 1" in search(text, needles(values("dev", SEED)))


def test_an_access_key_id_is_looked_for_as_it_is_used() -> None:
    from components.planning import secrets  # noqa: PLC0415

    identifier = secrets.access_key(SEED, "s3/client").encode()
    assert "s3/client/access-key 1" in search(b"Added user " + identifier, needles(values("dev", SEED)))


def test_forms_of_a_text_hold_the_text() -> None:
    assert b"token" in forms(b"token")
