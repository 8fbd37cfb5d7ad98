"""MLflow's server: one process over TLS, which checks every login itself, and hands artefacts through.

`mlflow server` would be a second process of 280 MB that waits for the first, and could not take up a new
certificate. What it would tell the application is in `environment`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import ssl
from typing import Any

from . import schemas
from .settings import FILES, LIBPQ, PORT, RUNS, SCRATCH, address, say

# Of a first start, in which the database and the job come up as well.
PREPARED_WITHIN = 300
# Seconds for requests that are under way when the server is stopped.
FINISHED_WITHIN = 20
# A version may say that its model is elsewhere in the object store, where the server cannot read.
SOURCES = r"^(runs:/|models:/|mlflow-artifacts:/|s3://(?!tracking(/|$))[a-z0-9])"


def environment() -> dict[str, str]:
    """What MLflow reads from its environment; no secret but the key of the browser's sessions.

    That is another one at each start: only one process uses it, so nobody has to keep it.
    """
    return {
        **LIBPQ,
        "_MLFLOW_SERVER_FILE_STORE": address(RUNS, "app"),
        "_MLFLOW_SERVER_REGISTRY_STORE": address(RUNS, "app"),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"s3://{RUNS}/",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_AUTH_CONFIG_PATH": str(FILES / "auth.ini"),
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        "MLFLOW_SERVER_ALLOWED_HOSTS": os.environ["TRACKING_HOSTS"],
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": os.environ["TRACKING_ORIGINS"],
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
        "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": SOURCES,
        # Two pools log in as one role, which may hold 20 connections.
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "4",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "TMPDIR": str(SCRATCH),
    }


def load_certificate(context: ssl.SSLContext) -> None:
    """Connections from now on see the certificate that the files hold."""
    context.load_cert_chain(FILES / "tls.crt", FILES / "tls.key")


def serve(application: Any) -> None:
    """Returns after TERM; HUP takes up a new certificate."""
    import uvicorn

    config = uvicorn.Config(
        application,
        host="0.0.0.0",
        port=PORT,
        ssl_certfile=FILES / "tls.crt",
        ssl_keyfile=FILES / "tls.key",
        server_header=False,
        access_log=False,
        timeout_graceful_shutdown=FINISHED_WITHIN,
    )
    config.load()
    context = config.ssl
    assert context is not None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    signal.signal(signal.SIGHUP, lambda *_: load_certificate(context))
    uvicorn.Server(config).run()


def main() -> None:
    """Serves once the databases are prepared. Raises TimeoutError when they are not."""
    # Until there is a certificate to take up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ.update(LIBPQ)
    for left in SCRATCH.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    schemas.wait(schemas.missing, PREPARED_WITHIN)
    say("the databases are prepared")
    os.environ.update(environment())
    # Only now: MLflow reads its settings when it is imported.
    from . import app

    serve(app.create())
