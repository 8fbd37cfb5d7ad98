"""MLflow's server: one worker over TLS, which checks every login itself, and hands artefacts through."""

from __future__ import annotations

import os
import secrets
import shutil

from . import schemas
from .settings import FILES, LIBPQ, PORT, RUNS, SCRATCH, address, say

# Of a first start, in which the database and the job come up as well.
PREPARED_WITHIN = 300


def environment() -> dict[str, str]:
    """What MLflow reads from its environment; no secret but the key of the browser's sessions.

    That is another one at each start: only one process uses it, so nobody has to keep it.
    """
    return {
        **LIBPQ,
        "MLFLOW_AUTH_CONFIG_PATH": str(FILES / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        # Two pools log in as one role, which may hold 20 connections.
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "4",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "TMPDIR": str(SCRATCH),
    }


def command(hosts: str, origins: str) -> list[str]:
    """`hosts` and `origins`: what the headers Host and Origin may say, separated by commas."""
    encryption = f"--ssl-certfile {FILES}/tls.crt --ssl-keyfile {FILES}/tls.key"
    return [
        "mlflow", "server",
        "--host", "0.0.0.0", "--port", str(PORT), "--workers", "1",
        "--app-name", "basic-auth",
        "--backend-store-uri", address(RUNS, "app"),
        "--serve-artifacts", "--artifacts-destination", f"s3://{RUNS}/",
        "--allowed-hosts", hosts, "--cors-allowed-origins", origins, "--x-frame-options", "DENY",
        "--uvicorn-opts", f"{encryption} --no-server-header --no-access-log",
    ]  # fmt: skip


def main() -> None:
    """Becomes the server once its databases are prepared."""
    os.environ.update(environment())
    for left in SCRATCH.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    schemas.wait(schemas.missing, PREPARED_WITHIN)
    say("the databases are prepared")
    full = command(os.environ["TRACKING_HOSTS"], os.environ["TRACKING_ORIGINS"])
    os.execvp(full[0], full)
