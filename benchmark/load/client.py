"""A client of the served models: correctness by a sample, latency under Poisson arrivals.

The load is open: requests are sent when the schedule says so, whether or not earlier ones
have been answered, and latency counts from the scheduled moment. A slow server can therefore
not slow the client down and hide its own queue.
"""

from __future__ import annotations

import http.client
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmark.core import stats
from benchmark.core.errors import StackError

SENDERS = 32
LATE_MS = 5.0
# Of one request: whether it was answered well, and how often it was sent again.
Sent = tuple[bool, int]


@dataclass(frozen=True)
class Endpoint:
    """Where the models are served: URL, the authority that signed its certificate, the bearer token."""

    url: str
    ca_path: str | None = None
    token: str | None = field(default=None, repr=False)


class Answer(NamedTuple):
    """What became of one request: times in seconds, both from the scheduled moment.

    `resent`: how often it was sent again on a new connection because the old one broke.
    """

    latency: float
    lateness: float
    ok: bool
    resent: int = 0
    number: int = 0


class Connection:
    """One keep-alive HTTP(S) connection; a broken one is opened again, `retries` times a request.

    `resent` counts those: a request that is sent again is an answer in the end, but never a silent one.
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

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
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

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _open(self) -> http.client.HTTPConnection:
        if self.context:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=self.timeout, context=self.context
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)


def predict(connection: Connection, workload: str, instances: Sequence[Any]) -> dict[str, Any]:
    """Ask for predictions; StackError with status and message when there are none."""
    path = f"/v1/models/{workload}:predict"
    try:
        status, body = connection.call("POST", path, json.dumps({"instances": list(instances)}).encode())
    except (http.client.HTTPException, OSError) as error:
        raise StackError(f"{path}: the load balancer cannot be asked: {error}") from error
    if status != 200:
        raise StackError(f"{path}: status {status}: {body[:300].decode(errors='replace')}")
    try:
        answer: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise StackError(f"{path}: the answer is not JSON: {error}") from error
    return answer


def poisson_load(
    endpoint: Endpoint,
    *,
    workload: str,
    bodies: Sequence[bytes],
    rate: float,
    seconds: float,
    seed: int,
    bound_ms: float | None = None,
) -> dict[str, Any]:
    """Send Poisson arrivals at `rate` requests/s; latencies in ms from the scheduled send."""
    schedule = stats.poisson_schedule(rate, seconds, seed)
    path = f"/v1/models/{workload}:predict"

    def connect() -> Callable[[int], Sent]:
        connection = Connection(endpoint)
        connection.call("GET", "/v1/models")  # the handshake is not part of any latency
        return _sender(connection, path, lambda i: bodies[i % len(bodies)])

    outcome = run_schedule(schedule, connect)
    return {"workload": workload, "rate_rps": rate, "duration_s": seconds, **summarise(outcome, bound_ms)}


def _sender(connection: Connection, path: str, body_of: Callable[[int], bytes]) -> Callable[[int], Sent]:
    """Sends request i; what was sent again counts whether or not it was answered in the end."""

    def send(i: int) -> Sent:
        before = connection.resent
        try:
            ok = connection.call("POST", path, body_of(i))[0] == 200
        except (http.client.HTTPException, OSError):
            ok = False
        return ok, connection.resent - before

    return send


def run_schedule(
    schedule: Sequence[float],
    connect: Callable[[], Callable[[int], Sent]],
    senders: int = SENDERS,
    stop: threading.Event | None = None,
    started: Callable[[float], None] | None = None,
) -> list[Answer]:
    """Send request i at schedule[i] seconds; what became of each, in the order of the answers.

    `stop` ends the schedule early: what is due later is not sent. `started` is told the origin of the
    schedule on the clock of `time.perf_counter`.
    """
    jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    outcome: list[Answer] = []
    faults: list[BaseException] = []  # of ours: what a network does is an answer
    ready = threading.Barrier(senders + 1)
    origin = [0.0]

    def work() -> None:
        try:
            send = connect()
        except (http.client.HTTPException, OSError):
            send = _refuse
        except BaseException as error:  # else all the others would wait for this one for ever
            faults.append(error)
            send = _refuse
        ready.wait()
        while (i := jobs.get()) is not None:
            begin = time.perf_counter() - origin[0]
            try:
                ok, resent = send(i)
            except (http.client.HTTPException, OSError):
                ok, resent = False, 0
            except BaseException as error:
                faults.append(error)
                ok, resent = False, 0
            end = time.perf_counter() - origin[0]
            outcome.append(Answer(end - schedule[i], begin - schedule[i], ok, resent, i))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(senders)]
    for thread in threads:
        thread.start()
    ready.wait()
    origin[0] = time.perf_counter()
    if started:
        started(origin[0])
    for i, due in enumerate(schedule):
        pause = due - (time.perf_counter() - origin[0])
        if pause > 0:
            time.sleep(pause)
        if faults or (stop and stop.is_set()):
            break
        jobs.put(i)
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return outcome


def _refuse(_: int) -> Sent:
    return False, 0


def summarise(outcome: Sequence[Answer], bound_ms: float | None = None) -> dict[str, Any]:
    """Percentiles over answered requests; failed ones are counted, not timed.

    `over_bound`: how many answers took longer than `bound_ms`, from which alone a p99 can be judged.
    """
    latencies = [answer.latency * 1e3 for answer in outcome if answer.ok]
    late = sum(answer.lateness * 1e3 > LATE_MS for answer in outcome)
    p = {f"{name}_ms": None if v is None else round(v, 3) for name, v in stats.percentiles(latencies).items()}
    missing = {}
    if p["p99_ms"] is None:
        missing["p99_ms"] = f"{len(latencies)} answers; a 99th percentile needs {stats.P99_SAMPLES}"
    return {
        "samples": len(latencies),
        "errors": len(outcome) - len(latencies),
        "resent": sum(answer.resent for answer in outcome),
        **p,
        "max_ms": round(max(latencies), 3) if latencies else None,
        "over_bound": None if bound_ms is None else sum(latency > bound_ms for latency in latencies),
        "sent_late": late,
        "ecdf": stats.ecdf(latencies),
        "not_measured": missing,
    }


def closed_load(
    endpoint: Endpoint,
    *,
    workload: str,
    body: bytes,
    instances: int,
    requests: int,
    clients: int,
) -> dict[str, Any]:
    """Offline throughput: `clients` connections that always have a request under way."""
    begin = time.perf_counter()

    def connect() -> Callable[[int], Sent]:
        return _sender(Connection(endpoint), f"/v1/models/{workload}:predict", lambda _: body)

    outcome = run_schedule([0.0] * requests, connect, senders=clients)
    seconds = time.perf_counter() - begin
    answered = sum(answer.ok for answer in outcome)
    return {
        "workload": workload,
        "clients": clients,
        "requests": answered,
        "errors": requests - answered,
        "resent": sum(answer.resent for answer in outcome),
        "requests_per_s": round(answered / seconds, 1),
        "instances_per_s": round(answered * instances / seconds, 1),
        "instances_per_request": instances,
    }
