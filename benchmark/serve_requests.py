"""What clients may ask of a served model: parsed, and refused with the field that is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

from benchmark.config import GptConfig, ModelConfig

MAX_INSTANCES = 512
MAX_BODY = 4 << 20


class RequestError(Exception):
    """The client's mistake: an HTTP status and a message that says which field."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse(body: bytes, config: ModelConfig) -> list[Any]:
    """The instances of a request; RequestError names the first field that is wrong."""
    if len(body) > MAX_BODY:
        raise RequestError(413, f"body: {len(body)} bytes, at most {MAX_BODY} are accepted")
    try:
        content = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f"body: is not JSON: {error}") from None
    instances = content.get("instances") if isinstance(content, dict) else None
    if not isinstance(instances, list) or not instances:
        raise RequestError(400, 'instances: must be a list that is not empty, as in {"instances": [...]}')
    if len(instances) > MAX_INSTANCES:
        raise RequestError(413, f"instances: {len(instances)}, at most {MAX_INSTANCES} are accepted")
    for i, instance in enumerate(instances):
        problem = _problem(instance, config)
        if problem:
            raise RequestError(400, f"instances[{i}]: {problem}")
    return instances


def _problem(instance: Any, config: ModelConfig) -> str | None:
    if isinstance(config, GptConfig):
        return None if isinstance(instance, str) and instance else "must be text that is not empty"
    if not isinstance(instance, list) or len(instance) != config.inputs:
        return f"must be a list of {config.inputs} numbers"
    for j, value in enumerate(instance):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"[{j}]: must be a finite number"
    return None
