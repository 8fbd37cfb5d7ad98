"""Where files lie, and how the databases are reached. No password is in an address: libpq reads them from a file.

The server logs in as the application, which may change rows; the job as the owner, which may change tables.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

FILES = Path("/etc/aidc")
SCRATCH = Path("/scratch")
PORT = int(os.environ.get("TRACKING_PORT", "5000"))
RUNS, USERS = "tracking", "tracking_auth"
# The job writes it at the schemas when the tables are those of this version, and the server waits for it.
MARK = f"mlflow {version('mlflow')}"
# libpq's settings, for psycopg and for SQLAlchemy alike.
LIBPQ = {
    "PGPASSFILE": str(FILES / "pgpass"),
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": str(FILES / "ca.crt"),
    "PGCHANNELBINDING": "require",
    "PGCONNECT_TIMEOUT": "10",
}


def address(database: str, role: str) -> str:
    """SQLAlchemy's URL of `database` for its `owner` or its `app`lication."""
    return f"postgresql+psycopg://{database}_{role}@database:5432/{database}"


def say(text: str) -> None:
    print(f"tracking: {text}", flush=True)
