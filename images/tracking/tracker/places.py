"""Which places a client may name: of an experiment's artefacts, of a model version's, of a trace's. Pure.

MLflow reads from them with the server's rights, so only the bucket that it hands through may be named.
"""

from __future__ import annotations

# `s3` is where the server itself keeps artefacts, `runs` and `models` lead to what a run or a model names.
SCHEMES = frozenset({"mlflow-artifacts", "s3", "runs", "models"})
# A version may say that its model is elsewhere in the object store, where the server cannot read.
SOURCES = r"^(runs:/|models:/|mlflow-artifacts:/|s3://(?!tracking(/|$))[a-z0-9])"
CREATION = "/mlflow/experiments/create"
# The calls that register something, and what their answers call it.
REGISTRATIONS = {
    "/mlflow/registered-models/create": "registered_model",
    "/mlflow/model-versions/create": "model_version",
}
REFUSAL = {
    "error_code": "INVALID_PARAMETER_VALUE",
    "message": "leave artifact_location out: artefacts have one place",
}


def named(path: str, body: object) -> bool:
    """Whether a request for `path` says where an experiment's artefacts are to be.

    MLflow takes either spelling of a field's name.
    """
    fields = ("artifact_location", "artifactLocation")
    return path.endswith(CREATION) and isinstance(body, dict) and any(body.get(field) for field in fields)


def registered(path: str) -> str:
    """What the answer to a call that registers a model or a version names it by; empty for other calls."""
    return next((key for end, key in REGISTRATIONS.items() if path.endswith(end)), "")
