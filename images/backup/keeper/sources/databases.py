"""The databases in a snapshot: each as pg_dump writes it, in one consistent view of its rows.

They are dumped before the store is listed, so that every object which a row names is in the same snapshot.
How to reach the server is in libpq's own environment variables.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .staging import Staging
from .vault import digest_of, last_words

FOLDER = "databases"
WITHIN = 6 * 3600  # seconds for one database
PSQL = ("psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align")
FACTS = Path("/usr/local/share/aidc/table-facts.sql")


class DatabaseError(Exception):
    """A database cannot be dumped; the text says what the server or the program said."""


@dataclass(frozen=True)
class Dumped:
    """`file` is relative to the snapshot's folder, `size` in bytes; `tables` counts those that it holds."""

    name: str
    file: str
    size: int
    sha256: str
    tables: int


def size(name: str) -> int:
    """Bytes that the database takes on the server, which is more than its dump does. Raises DatabaseError."""
    return int(ask(f"SELECT pg_database_size('{name}')"))


def ask(*queries: str) -> str:
    """What the server answers, a line each. Raises DatabaseError."""
    commands = [f"--command={query}" for query in queries]
    return execute([*PSQL, "--set=ON_ERROR_STOP=1", "--dbname=postgres", *commands], 60)


def server() -> str:
    """Which server it is, and which line of its log: another one after each restore. Raises DatabaseError."""
    query = (
        "SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()"
    )
    return ask(query).strip()


def dump(name: str, staging: Staging, given: View | None = None) -> Dumped:
    """Dump one database in the place of the dump before. Raises DatabaseError, and then leaves none.

    Beside it, in the same view of the rows, how many each table has: a restore is compared with that. `given`
    is the view to use; without one, one of now.
    """
    place = path_of(name, staging)
    part = staging.temporary / place.name
    place.parent.mkdir(exist_ok=True)
    # Not compressed: restic compresses, and finds again what has not changed since the last snapshot.
    options = ["--format=custom", "--compress=none", "--no-password", "--lock-wait-timeout=60s"]
    try:
        with nullcontext(given) if given else view(name) as seen:
            execute(["pg_dump", *options, f"--snapshot={seen.identifier}", f"--file={part}", name], WITHIN)
            facts = seen.facts()
        listed = execute(["pg_restore", "--list", str(part)], WITHIN)
    except DatabaseError:
        part.unlink(missing_ok=True)
        drop(name, staging)
        raise
    os.replace(part, place)
    place.with_suffix(".json").write_text(facts + "\n")
    tables = sum(" TABLE DATA " in line for line in listed.splitlines())
    file = place.relative_to(staging.snapshot).as_posix()
    return Dumped(name, file, place.stat().st_size, digest_of(place), tables)


def facts_of(name: str, staging: Staging) -> dict[str, Any]:
    """The rows of each table, as the newest dump recorded them."""
    found: dict[str, Any] = json.loads(path_of(name, staging).with_suffix(".json").read_text())
    return found


def drop_others(names: Sequence[str], staging: Staging) -> None:
    """Remove the dumps of databases that are declared no more."""
    for path in (staging.snapshot / FOLDER).glob("*.dump"):
        if path.stem not in names:
            drop(path.stem, staging)


def drop(name: str, staging: Staging) -> None:
    """Remove an earlier dump: it must not pass for one of this run."""
    for path in (path_of(name, staging), path_of(name, staging).with_suffix(".json")):
        path.unlink(missing_ok=True)


class View:
    """A transaction that sees the rows of one moment; others may see the same by its `identifier`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        # It waits for as long as the dump takes, longer than the server lets others.
        begin = (
            "SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        )
        self.identifier = self._ask(f"{begin} SELECT pg_export_snapshot();\n")
        # Which transactions it sees, as `xmin:xmax:running`.
        self.seen = self._ask("SELECT pg_current_snapshot();\n")

    def facts(self) -> str:
        """One line of JSON: table to its rows and their digest."""
        return self._ask(FACTS.read_text())

    def _ask(self, query: str) -> str:
        """The one line that the query gives. Raises DatabaseError."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(query)
            self._process.stdin.flush()
            line = self._process.stdout.readline().strip()
        except OSError:
            line = ""
        if not line:
            raise DatabaseError("psql: the transaction of the dump has ended early; see the backup's log")
        return line


@contextmanager
def view(name: str) -> Iterator[View]:
    command = [*PSQL, "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={name}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield View(process)
        finally:
            process.kill()


def path_of(name: str, staging: Staging) -> Path:
    return staging.snapshot / FOLDER / f"{name}.dump"


def execute(
    command: Sequence[str], within: float, environment: Mapping[str, str] | None = None, text: str = ""
) -> str:
    """What a program prints that gets `text` on standard input, in `within` seconds. Raises DatabaseError."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
        )
    except subprocess.TimeoutExpired:
        raise DatabaseError(f"{command[0]} did not end within {within:.0f} s") from None
    if done.returncode != 0:
        raise DatabaseError(f"{command[0]}: {last_words(done.stderr)}")
    return done.stdout
