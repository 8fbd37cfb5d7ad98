"""The job before the server: tables as this version has them, and the declared users with their passwords.

Running it again changes nothing. Users that people made are left alone: the load balancer lets none of them in.
"""

from __future__ import annotations

import os
import subprocess

import psycopg

from . import schemas
from .settings import FILES, LIBPQ, RUNS, USERS, address, say

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
    """Raises TimeoutError when the database cannot be reached, CalledProcessError when a migration fails."""
    os.environ.update(LIBPQ)
    schemas.wait(unreachable, REACHED_WITHIN)
    subprocess.run(["mlflow", "db", "upgrade", address(RUNS, "owner")], check=True)
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # takes seconds

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
    for database in (RUNS, USERS):
        schemas.mark(database)
    say(f"tables and {len(users())} users are as declared")
