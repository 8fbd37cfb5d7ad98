"""MLflow's application behind its own login, without what would lead out of the bucket of artefacts.

Clients name places: of an experiment's artefacts, of a model version's, of a trace's. MLflow reads from them
with the server's rights, so only the bucket, which it hands through itself, may be named.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request
from mlflow.server import app as flask_app
from mlflow.server.auth import create_app
from mlflow.store.artifact import artifact_repository_registry as registry

# `s3` is where the server itself keeps artefacts, `runs` and `models` lead to what a run or a model names.
SCHEMES = frozenset({"mlflow-artifacts", "s3", "runs", "models"})
CREATION = "/mlflow/experiments/create"
REFUSAL = {
    "error_code": "INVALID_PARAMETER_VALUE",
    "message": "leave artifact_location out: artefacts have one place",
}


def refuse_places() -> Response | None:
    """An answer to a request that names where an experiment's artefacts are to be; None lets it pass."""
    if not request.path.endswith(CREATION) or not _names_a_place(request.get_json(force=True, silent=True)):
        return None
    return Response(json.dumps(REFUSAL), status=400, mimetype="application/json")


def _names_a_place(body: Any) -> bool:
    # MLflow takes either spelling of a field's name.
    return isinstance(body, dict) and any(body.get(key) for key in ("artifact_location", "artifactLocation"))


def create() -> Any:
    """The application for uvicorn."""
    known = registry._artifact_repository_registry._registry
    for scheme in set(known) - SCHEMES:
        del known[scheme]
    application = create_app()
    # After MLflow's own check of the login.
    flask_app.before_request(refuse_places)
    return application
