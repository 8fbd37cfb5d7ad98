"""One keep-alive connection to the served models, and one prediction over it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmark.core.errors import StackError

__all__ = ["Connection", "Endpoint", "predict", "predict_path"]


@dataclass(frozen=True)
class Endpoint:
    """Where the models are served: URL, the authority that signed its certificate, the bearer token."""

    url: str
    ca_path: str | None = None
    token: str | None = field(default=None, repr=False)


class Connection:
    """One keep-alive HTTP(S) connection, closed at the end of its `with` block.

    A broken connection is reopened up to `retries` times per request. `resent` counts these retries: a
    request that was sent again may be answered in the end, but never without a trace.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float = 30, retries: int = 1) -> None:
        self.retries, self.resent = retries, 0
        parts = urlsplit(endpoint.url)
        self.host, self.port, self.timeout = parts.hostname or "", parts.port, timeout_s
        https = parts.scheme == "https"
        self.context = ssl.create_default_context(cafile=endpoint.ca_path) if https else None
        self.headers = {"Content-Type": "application/json"}
        if endpoint.token:
            self.headers["Authorization"] = f"Bearer {endpoint.token}"
        self.connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of the answer. Raises HTTPException or OSError when the last attempt breaks."""
        for attempt in range(self.retries + 1):
            try:
                if self.connection is None:
                    self.connection = self._open()
                self.connection.request(method, path, body, self.headers)
                response = self.connection.getresponse()
                return response.status, response.read()
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == self.retries:
                    raise
                self.resent += 1
        raise AssertionError("unreachable")

    def lines(self, method: str, path: str, body: bytes) -> Iterator[bytes]:
        """Lines of the answer as they arrive, sent once. StackError with the status if it is not 200."""
        try:
            if self.connection is None:
                self.connection = self._open()
            self.connection.request(method, path, body, self.headers)
            response = self.connection.getresponse()
            if response.status != http.client.OK:
                text = response.read()[:300].decode(errors="replace")
                raise StackError(f"{path}: status {response.status}: {text}")
            yield from iter(response.readline, b"")
        except (http.client.HTTPException, OSError):
            self.close()
            raise

    def close(self) -> None:
        """Idempotent; a later call opens the connection again."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _open(self) -> http.client.HTTPConnection:
        if self.context:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=self.timeout, context=self.context
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)


def predict_path(workload: str) -> str:
    return f"/v1/models/{workload}:predict"


def predict(connection: Connection, workload: str, instances: Sequence[Any]) -> dict[str, Any]:
    """The answer to one prediction request; StackError with status and message if there is none."""
    path = predict_path(workload)
    try:
        status, body = connection.call("POST", path, json.dumps({"instances": list(instances)}).encode())
    except (http.client.HTTPException, OSError) as error:
        raise StackError(f"{path}: the load balancer does not answer: {error}") from error
    if status != 200:
        raise StackError(f"{path}: status {status}: {body[:300].decode(errors='replace')}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise StackError(f"{path}: the answer is not valid JSON: {error}") from error
    if not isinstance(answer, dict):
        raise StackError(f"{path}: the answer is not a JSON object")
    return answer
