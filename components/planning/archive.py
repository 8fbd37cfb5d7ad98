"""The settings of pgBackRest, which keeps the database's write-ahead log and base backups. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from components.planning.config import Archive
from components.planning.store_place import StorePlace

BUCKET = "database"
SECRET = "database/repository"
# pgBackRest's name for a server and its backups; a folder in the repository.
STANZA = "aidc"


def settings(archive: Archive, store: StorePlace, *, files: str) -> str:
    """pgbackrest.conf of the server; `files` is the folder with the authority of the store's certificate.

    The keys and the passphrase are left to `with_secrets`.
    """
    repository = {
        "repo1-type": "s3",
        "repo1-path": "/repository",
        "repo1-s3-bucket": BUCKET,
        "repo1-s3-endpoint": store.host,
        "repo1-s3-region": store.region,
        "repo1-s3-uri-style": "path",
        "repo1-storage-port": store.port,
        "repo1-storage-ca-file": f"{files}/{store.authority}",
        "repo1-cipher-type": "aes-256-cbc",
        "repo1-retention-full": archive.keep_full,
        # A thousand small files become a few objects, and a change in a large one a small object.
        "repo1-bundle": "y",
        "repo1-block": "y",
        "compress-type": "zst",
        "compress-level": 3,
    }
    process = {
        "log-level-console": "off",
        "log-level-file": "off",
        "log-level-stderr": "warn",
        "log-timestamp": "n",
        "lock-path": "/tmp/pgbackrest",
        "spool-path": "/tmp/pgbackrest",
        # A store that does not answer is tried again later: nobody waits for it.
        "io-timeout": 8,
        "archive-timeout": 60,
        "start-fast": "y",
    }
    server = {"pg1-path": "/data/pgdata", "pg1-socket-path": "/tmp", "pg1-user": "postgres"}
    return _section("global", repository | process) + _section(STANZA, server)


def with_secrets(text: str, access_key: str, secret_key: str, passphrase: str) -> str:
    """The whole file, to be read by the server's user alone."""
    secrets = {
        "repo1-s3-key": access_key,
        "repo1-s3-key-secret": secret_key,
        "repo1-cipher-pass": passphrase,
    }
    head, _, rest = text.partition("\n")
    return f"{head}\n{_lines(secrets)}{rest}"


def schedule(archive: Archive) -> str:
    """What `database-archive` reads: seconds between two full backups, and between two of any kind."""
    return f"{archive.full_days * 86400} {archive.incremental_hours * 3600}\n"


def _section(name: str, values: Mapping[str, object]) -> str:
    return f"[{name}]\n{_lines(values)}"


def _lines(values: Mapping[str, object]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())
