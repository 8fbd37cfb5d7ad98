"""An open load of the served models: Poisson arrivals, sent on schedule whatever the server does.

Requests are sent when the schedule says so, whether or not earlier ones have been answered, and latency
counts from the scheduled moment. A slow server therefore cannot slow the client down and hide its own queue.
"""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmark.cluster.connection import Connection, Endpoint, predict_path
from benchmark.core import stats

__all__ = ["Answer", "Sent", "poisson_load", "run_schedule", "sender", "summarise"]

SENDERS = 32
LATE_MS = 5.0


class Sent(NamedTuple):
    """Whether a request was answered well, and how often it was sent again on a new connection."""

    ok: bool
    resent: int = 0


class Answer(NamedTuple):
    """The outcome of one request; `latency` and `lateness` are seconds since its scheduled moment.

    `resent`: how often it was sent again on a new connection because the old one broke.
    """

    latency: float
    lateness: float
    ok: bool
    resent: int = 0
    number: int = 0


FAILED = Sent(ok=False)
Send = Callable[[int], Sent]


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
    with ExitStack() as connections:

        def connect() -> Send:
            connection = connections.enter_context(Connection(endpoint))
            connection.call("GET", "/v1/models")  # the handshake is not part of any latency
            return sender(connection, predict_path(workload), lambda i: bodies[i % len(bodies)])

        answers = run_schedule(schedule, connect)
    return {"workload": workload, "rate_rps": rate, "duration_s": seconds, **summarise(answers, bound_ms)}


def sender(connection: Connection, path: str, body_of: Callable[[int], bytes]) -> Send:
    """Sends request i; retries are counted whether or not an answer came in the end."""

    def send(i: int) -> Sent:
        before = connection.resent
        try:
            ok = connection.call("POST", path, body_of(i))[0] == 200
        except (http.client.HTTPException, OSError):
            ok = False
        return Sent(ok, connection.resent - before)

    return send


def run_schedule(
    schedule: Sequence[float],
    connect: Callable[[], Send],
    senders: int = SENDERS,
    stop: threading.Event | None = None,
    started: Callable[[float], None] | None = None,
) -> list[Answer]:
    """Send request i at schedule[i] seconds; the outcome of each, in the order of the answers.

    `connect` is called once in each sender's thread. `stop` ends the schedule early: later requests are not
    sent. `started` receives the origin of the schedule on the clock of `time.perf_counter`.
    """
    jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    answers: list[Answer] = []
    faults: list[BaseException] = []  # bugs of the client; network errors are answers
    ready = threading.Barrier(senders + 1)
    origin = [0.0]

    def work() -> None:
        try:
            send = connect()
        except (http.client.HTTPException, OSError):
            send = _refuse
        except BaseException as error:  # otherwise all other threads would wait for this one forever
            faults.append(error)
            send = _refuse
        ready.wait()
        while (i := jobs.get()) is not None:
            begin = time.perf_counter() - origin[0]
            try:
                sent = send(i)
            except (http.client.HTTPException, OSError):
                sent = FAILED
            except BaseException as error:
                faults.append(error)
                sent = FAILED
            end = time.perf_counter() - origin[0]
            answers.append(Answer(end - schedule[i], begin - schedule[i], sent.ok, sent.resent, i))

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
    return answers


def _refuse(_: int) -> Sent:
    return FAILED


def summarise(answers: Sequence[Answer], bound_ms: float | None = None) -> dict[str, Any]:
    """Percentiles over successful answers; failed requests are counted, not timed.

    `over_bound`: how many answers took longer than `bound_ms`; a p99 can be judged by this count alone.
    """
    latencies = [answer.latency * 1e3 for answer in answers if answer.ok]
    late = sum(answer.lateness * 1e3 > LATE_MS for answer in answers)
    p = {f"{name}_ms": None if v is None else round(v, 3) for name, v in stats.percentiles(latencies).items()}
    missing = {}
    if p["p99_ms"] is None:
        missing["p99_ms"] = f"{len(latencies)} answers; a 99th percentile needs {stats.P99_SAMPLES}"
    return {
        "samples": len(latencies),
        "errors": len(answers) - len(latencies),
        "resent": sum(answer.resent for answer in answers),
        **p,
        "max_ms": round(max(latencies), 3) if latencies else None,
        "over_bound": None if bound_ms is None else sum(latency > bound_ms for latency in latencies),
        "sent_late": late,
        "ecdf": stats.ecdf(latencies),
        "not_measured": missing,
    }
