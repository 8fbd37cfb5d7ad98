"""Closed loads of the served models: clients that send their next request when the last one is answered."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmark.cluster.connection import Connection, Endpoint, predict_path
from benchmark.load.open_loop import Send, run_schedule, sender

__all__ = ["ClosedLoad", "closed_load"]

BACK_OFF_S = 0.2  # after a failure: a service that refuses is not flooded


def closed_load(
    endpoint: Endpoint,
    *,
    workload: str,
    body: bytes,
    instances: int,
    requests: int,
    clients: int,
) -> dict[str, Any]:
    """Offline throughput of so many requests over `clients` connections, each with one request in flight."""
    begin = time.perf_counter()
    with ExitStack() as connections:

        def connect() -> Send:
            connection = connections.enter_context(Connection(endpoint))
            return sender(connection, predict_path(workload), lambda _: body)

        answers = run_schedule([0.0] * requests, connect, senders=clients)
        seconds = time.perf_counter() - begin
    succeeded = sum(answer.ok for answer in answers)
    return {
        "workload": workload,
        "clients": clients,
        "requests": succeeded,
        "errors": requests - succeeded,
        "resent": sum(answer.resent for answer in answers),
        "requests_per_s": round(succeeded / seconds, 1),
        "instances_per_s": round(succeeded * instances / seconds, 1),
        "instances_per_request": instances,
    }


class ClosedLoad:
    """Clients with one request each in flight, from `with` to the end of its block."""

    def __init__(self, endpoint: Endpoint, path: str, bodies: Sequence[bytes], clients: int) -> None:
        self.endpoint, self.path, self.bodies = endpoint, path, bodies
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.answered, self.failures = 0, list[str]()
        self.threads = [threading.Thread(target=self._work, args=(i,), daemon=True) for i in range(clients)]

    def __enter__(self) -> ClosedLoad:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _work(self, number: int) -> None:
        body = self.bodies[number % len(self.bodies)]
        with Connection(self.endpoint, retries=0) as connection:
            while not self.stop.is_set():
                problem = self._send(connection, body)
                with self.lock:
                    if problem is None:
                        self.answered += 1
                    else:
                        self.failures.append(problem)
                if problem:
                    time.sleep(BACK_OFF_S)

    def _send(self, connection: Connection, body: bytes) -> str | None:
        """What went wrong, or None."""
        try:
            status, answer = connection.call("POST", self.path, body)
        except (http.client.HTTPException, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None if status == 200 else f"status {status}: {answer[:120].decode(errors='replace')}"
