"""The job before the server: tables as this version has them, the declared users with their passwords, and
what only the benchmark may own.

Running it again changes nothing. Users that people made are left alone: the load balancer lets none in.
"""

from __future__ import annotations

import os

import psycopg

from . import owned, schemas
from .settings import FILES, LIBPQ, RUNS, USERS, address, say
from .waiting import wait

ADMINISTRATOR = "admin"
# The database takes up new passwords within seconds, and has to come up itself.
REACHED_WITHIN = 120


def unreachable() -> str:
    """Why the owners cannot log in; empty when they can."""
    for database in (RUNS, USERS):
        try:
            schemas.connect(database, "owner").close()
        except psycopg.OperationalError as error:
            return f"database {database}: {' '.join(str(error).split())}"
    return ""


def users() -> dict[str, str]:
    """User → password, as declared."""
    return {file.name: file.read_text().strip() for file in sorted((FILES / "users").iterdir())}


def main() -> None:
    """Raises TimeoutError without a database, and what MLflow raises when a migration fails."""
    os.environ.update(LIBPQ)
    wait(unreachable, REACHED_WITHIN)
    # Only now, since it takes seconds; in one process, since `mlflow db upgrade` would take them again.
    from mlflow.db import commands
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    commands.main(["upgrade", address(RUNS, "owner")], standalone_mode=False)

    store = SqlAlchemyStore()
    # Brings the tables up to date, too.
    store.init_db(address(USERS, "owner"))
    for name, password in users().items():
        administrator = name == ADMINISTRATOR
        if not store.has_user(name):
            store.create_user(name, password, is_admin=administrator)
            say(f"user {name} is new")
        elif not store.authenticate_user(name, password) or store.get_user(name).is_admin != administrator:
            store.update_user(name, password=password, is_admin=administrator)
            say(f"user {name} has a new password")
    owned.prepare(store)
    for database in (RUNS, USERS):
        schemas.mark(database)
    say(f"tables and {len(users())} users are as declared")
