"""What MLflow reads from its environment. No `docker inspect` shows it: the program sets it itself. Pure."""

from __future__ import annotations

from .places import SOURCES
from .settings import FILES, LIBPQ, RUNS, SCRATCH, address


def environment(hosts: str, origins: str, session_key: str) -> dict[str, str]:
    """`hosts` and `origins`: what the headers Host and Origin may say, separated by commas.

    The names with an underscore are what `mlflow server` tells the application that it starts.
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
        "MLFLOW_FLASK_SERVER_SECRET_KEY": session_key,
        "MLFLOW_SERVER_ALLOWED_HOSTS": hosts,
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": origins,
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
