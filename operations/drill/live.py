"""What the stack serves now. Effects: asks Pulumi for the access, and the models as a client would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from benchmark.cluster import stack as stacks
from benchmark.cluster.connection import Connection, predict
from benchmark.core.errors import BenchmarkError

WITHIN = 30.0  # seconds for one answer


class Live:
    """As a context: a connection to the served models; without one, nothing is served."""

    def __init__(self, stack: str) -> None:
        self.connection: Connection | None = None
        try:
            self.connection = Connection(stacks.read(stack).inference(), timeout_s=WITHIN)
        except BenchmarkError:
            return

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self.connection:
            self.connection.close()

    def served(self) -> dict[str, str]:
        """Model to the hash of its weights."""
        if self.connection is None:
            return {}
        try:
            status, body = self.connection.call("GET", "/v1/models")
            if status != 200:
                return {}
            return {str(m["workload"]): str(m["sha256"]) for m in json.loads(body)["models"]}
        except (http.client.HTTPException, OSError, ValueError, LookupError, TypeError, RecursionError):
            return {}

    def answers(self, models: list[Mapping[str, Any]]) -> dict[str, Any]:
        """Of each restored model that is served with the same weights, the answer to the same request."""
        found: dict[str, Any] = {}
        served = self.served()
        for model in models:
            name = model["model"]
            if self.connection is None or served.get(name) != model["sha256"]:
                continue
            try:
                answer = predict(self.connection, name, model["instances"])
            except BenchmarkError:
                continue
            # The replicas may have changed in between.
            if answer.get("model_sha256") == model["sha256"] and isinstance(answer.get("predictions"), list):
                found[name] = answer["predictions"]
        return found
