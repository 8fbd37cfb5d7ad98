"""MLflow's application behind its own login, without what would lead out of the bucket of artefacts."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request
from mlflow.server import app as flask_app
from mlflow.server.auth import create_app
from mlflow.store.artifact import artifact_repository_registry as registry

from . import places


def refuse_places() -> Response | None:
    """An answer to a request that names a place for an experiment's artefacts; None lets it pass."""
    if not places.named(request.path, request.get_json(force=True, silent=True)):
        return None
    return Response(json.dumps(places.REFUSAL), status=400, mimetype="application/json")


def create() -> Any:
    """The application for uvicorn."""
    known = registry._artifact_repository_registry._registry
    for scheme in set(known) - places.SCHEMES:
        del known[scheme]
    application = create_app()
    # After MLflow's own check of the login.
    flask_app.before_request(refuse_places)
    return application
