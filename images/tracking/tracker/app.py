"""MLflow's application behind its own login, without what would lead out of the bucket of artefacts."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request
from mlflow.server import app as flask_app
from mlflow.server.auth import authenticate_request, create_app, store
from mlflow.store.artifact import artifact_repository_registry as registry

from . import places

JOBS, PROMOTER = "jobs", "benchmark"


def refuse_places() -> Response | None:
    """An answer to a request that names a place for an experiment's artefacts; None lets it pass."""
    if not places.named(request.path, request.get_json(force=True, silent=True)):
        return None
    return Response(json.dumps(places.REFUSAL), status=400, mimetype="application/json")


def share_models(answer: Response) -> Response:
    """What a job registers, the user `benchmark` may promote: MLflow leaves it to its creator alone."""
    key = places.registered(request.path)
    if answer.status_code == 200 and request.method == "POST" and key:
        user = authenticate_request()
        name = (answer.get_json(silent=True) or {}).get(key, {}).get("name")
        # Whoever could make a version had the right to change the model.
        if name and getattr(user, "username", "") == JOBS:
            store.grant_user_permission(PROMOTER, "registered_model", name, "MANAGE")
    return answer


def create() -> Any:
    """The application for uvicorn."""
    known = registry._artifact_repository_registry._registry
    for scheme in set(known) - places.SCHEMES:
        del known[scheme]
    application = create_app()
    # After MLflow's own check of the login.
    flask_app.before_request(refuse_places)
    flask_app.after_request(share_models)
    return application
