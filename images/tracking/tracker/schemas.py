"""The mark at each database's schema that says for which version it was set up."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import psycopg

from .settings import RUNS, USERS

# The job writes it when the tables are those of this version and the record of what is served is the
# benchmark's (owned.py), and the server waits for it: also after a restore of a database without that record.
MARK = f"mlflow {version('mlflow')}, serving record 1"


def connect(database: str, role: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection as `<database>_<role>`; how it is secured is in the environment (settings.LIBPQ)."""
    name = f"{database}_{role}"
    return psycopg.connect(host="database", dbname=database, user=name, autocommit=True)


def mark(database: str) -> None:
    """As the owner: all is as this version needs it."""
    with connect(database, "owner") as connection:
        connection.execute(f"COMMENT ON SCHEMA {database} IS '{MARK}'")


def missing(databases: Sequence[str] = (RUNS, USERS)) -> str:
    """Why the server cannot start on these databases yet; empty when it can."""
    for database in databases:
        try:
            with connect(database, "app") as connection:
                row = connection.execute(
                    "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [database]
                ).fetchone()
        except psycopg.OperationalError as error:
            return f"database {database}: {' '.join(str(error).split())}"
        if row is None or row[0] != MARK:
            return f"database {database}: it is not set up for {MARK} yet"
    return ""
