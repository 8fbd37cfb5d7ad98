"""pgBackRest's settings: encrypted, over TLS, and secret where they have to be."""

from __future__ import annotations

from configparser import ConfigParser

import pytest

from components.planning import archive
from components.planning.config import Archive
from components.planning.store_place import place

PUBLIC = archive.settings(Archive(keep_full=3), place(None), files="/etc/aidc")
WHOLE = archive.with_secrets(PUBLIC, "an-id", "a-key", "a-passphrase")


def read(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.read_string(text)
    return parser


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repo1-cipher-type", "aes-256-cbc"),
        ("repo1-storage-ca-file", "/etc/aidc/ca.crt"),
        ("repo1-s3-uri-style", "path"),
        ("repo1-s3-bucket", "database"),
        ("repo1-retention-full", "3"),
    ],
)
def test_the_repository_is_in_the_bucket_encrypted_and_verified(name: str, value: str) -> None:
    assert read(WHOLE)["global"][name] == value


def test_certificates_are_always_checked() -> None:
    assert "verify-tls" not in WHOLE


def test_the_secrets_come_last_and_belong_to_the_repository() -> None:
    added = dict(read(WHOLE)["global"].items() - read(PUBLIC)["global"].items())
    assert added == {
        "repo1-s3-key": "an-id",
        "repo1-s3-key-secret": "a-key",
        "repo1-cipher-pass": "a-passphrase",
    }


def test_nothing_is_written_to_the_read_only_root() -> None:
    found = read(WHOLE)
    assert {found["global"][name] for name in ("lock-path", "spool-path")} == {"/tmp/pgbackrest"}
    assert found["global"]["log-level-file"] == "off"


def test_the_schedule_is_in_seconds() -> None:
    assert archive.schedule(Archive(full_days=7, incremental_hours=12)) == "604800 43200\n"
