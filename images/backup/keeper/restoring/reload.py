"""A database out of a snapshot back into the running server, by the role that owns it.

Never by a superuser: what a dump creates is run while it is restored. The server's own reader compares the
rows afterwards with those that were counted when the database was dumped.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..sources import vault
from ..sources.databases import FACTS, FOLDER, PSQL, WITHIN, DatabaseError, execute
from ..sources.vault import last_words

# What an earlier owner of the server's objects could have left; `public` belongs to the database's owner.
EMPTY = """
SELECT format('DROP SCHEMA %I CASCADE', nspname)
FROM pg_namespace WHERE nspowner = current_user::regrole \\gexec
"""


def recorded(snapshot: str, folder: Path, name: str) -> dict[str, Any]:
    """Table to its rows and their digest, as counted at backup time. Raises VaultError."""
    text = b"".join(vault.dump(snapshot, folder / FOLDER / f"{name}.json"))
    return dict(json.loads(text))


def names(snapshot: str, folder: Path) -> tuple[str, ...]:
    """The databases in the snapshot. Raises VaultError."""
    done = vault.restic("ls", "--json", snapshot, str(folder / FOLDER))
    paths = [Path(json.loads(line).get("path", "")) for line in done.stdout.splitlines()]
    return tuple(sorted(path.stem for path in paths if path.suffix == ".json"))


def facts(name: str) -> dict[str, Any]:
    """Table to its rows and their digest in the running server, as its reader sees them.

    Raises DatabaseError.
    """
    return dict(json.loads(execute([*PSQL, "--quiet", f"--dbname={name}", f"--file={FACTS}"], WITHIN)))


def reload(snapshot: str, folder: Path, name: str, role: str, password: str) -> None:
    """Drop what the owner's database holds and restore the dump, whole or not at all.

    Raises DatabaseError and VaultError.
    """
    with tempfile.NamedTemporaryFile("w", dir="/tmp") as passwords:
        passwords.write(f"*:*:*:{role}:{password}\n")
        passwords.flush()
        options = "-c lock_timeout=60s -c client_min_messages=warning"
        environment = {**os.environ, "PGUSER": role, "PGPASSFILE": passwords.name, "PGOPTIONS": options}
        strict = ["--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={name}"]
        execute([*PSQL, *strict], WITHIN, environment, EMPTY)
        with vault.dumping(snapshot, folder / FOLDER / f"{name}.dump") as stream:
            command = [
                "pg_restore",
                "--no-password",
                "--no-owner",
                "--single-transaction",
                f"--dbname={name}",
            ]
            done = subprocess.run(
                command, stdin=stream, env=environment, capture_output=True, timeout=WITHIN, check=False
            )
            while stream.read(2**20):  # what it did not ask for: the end of an archive
                pass
        if done.returncode != 0:
            raise DatabaseError(f"pg_restore: {last_words(done.stderr.decode(errors='replace'))}")


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The first table with other rows than were saved, in words; empty when all are as they were."""
    for table in sorted({*before, *after}):
        if before.get(table) != after.get(table):
            was, is_ = (side[table]["rows"] if table in side else "no" for side in (before, after))
            same = " with another content" if was == is_ else ""
            return f"table {table} has {is_} rows{same}, saved were {was}"
    return ""
