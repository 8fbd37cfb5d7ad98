"""Requests that wait together are computed together, and yet each has its own answer or its own error."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from benchmark.serving.metrics import Metrics
from benchmark.serving.requests import RequestError
from benchmark.serving.work import Call

JSON = "application/json"
EVENTS = "text/event-stream"


class Answer(NamedTuple):
    """An HTTP answer, its body encoded."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: dict[str, str] = {}  # noqa: RUF012  (never changed)


class Stream(NamedTuple):
    """An HTTP answer whose body comes in parts, as they are computed."""

    events: AsyncIterator[bytes]
    status: int = 200
    media_type: str = EVENTS


def content(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """As JSON in plain ASCII: a client's half surrogate pair in a message must not break the answer."""
    return Answer(status, json.dumps(value, allow_nan=False).encode("ascii"), JSON, headers or {})


def refused(error: RequestError) -> Answer:
    where = error.wrong._asdict() if error.wrong else {}
    return content({"error": str(error), **where}, error.status, error.headers)


def compute(calls: Sequence[Call], metrics: Metrics) -> list[Answer]:
    """An answer for each call: one evaluation for all of a model, and if it fails one for each."""
    answers: list[Answer | None] = [None] * len(calls)
    for model in {id(c.model): c.model for c in calls}.values():
        mine = [i for i, c in enumerate(calls) if c.model is model and not c.left]
        if not mine:
            continue
        metrics.computed(model.card["workload"], len(mine))
        for i, answer in zip(mine, _together([calls[i] for i in mine]), strict=True):
            answers[i] = answer
    # A client that is gone hears nothing of this.
    return [a or content({"error": "the client has gone"}, 499) for a in answers]


def _together(calls: Sequence[Call]) -> list[Answer]:
    """Answers to calls of one model."""
    try:
        predictions = calls[0].model.predict([x for c in calls for x in c.instances])
    except Exception:  # whatever it is, it may be the fault of one of them
        if len(calls) > 1:
            return [answer for c in calls for answer in _together([c])]
        traceback.print_exc()
        return [content({"error": "the model could not compute an answer to this request"}, 500)]
    found, first = [], 0
    for c in calls:
        found.append(_answer(c, predictions[first : first + len(c.instances)]))
        first += len(c.instances)
    return found


def _answer(asked: Call, predictions: list[Any]) -> Answer:
    for i, prediction in enumerate(predictions):
        if not finite(prediction):
            return refused(RequestError(422, f"instances[{i}]: the model's answer to it is not finite"))
    version = {"model_version": asked.version} if asked.version else {}
    return content({"predictions": predictions, "model_sha256": asked.model.card["sha256"], **version})


def finite(value: Any) -> bool:
    """Whether every number of a prediction is."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    return all(map(finite, value)) if isinstance(value, list) else True
