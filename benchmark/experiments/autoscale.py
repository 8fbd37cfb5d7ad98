"""Scaling under load: more requests than the replicas want under way, until as many run as are allowed.

A closed load keeps `CLIENTS` requests under way, more than twice what the least number of replicas is to
have. How many replicas run is asked of the cluster all the while: it must rise, and never leave the limits
that were declared. That it falls again without load takes five minutes and is not awaited.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmark.cluster import engine
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.experiments.hostload import HostLoad
from benchmark.experiments.resilience import bodies, served_workload
from benchmark.load.client import Connection, Endpoint

CLIENTS = 40
LONGEST_S = 150.0
SETTLED_S = 10.0  # at the most replicas, to see that there are no more
ASK_S = 1.0


class ClosedLoad:
    """Clients that always have a request under way, from `with` to the end of its block."""

    def __init__(self, endpoint: Endpoint, path: str, requests: Sequence[bytes], clients: int) -> None:
        self.endpoint, self.path, self.requests = endpoint, path, requests
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
        connection = Connection(self.endpoint, retries=0)
        while not self.stop.is_set():
            try:
                status, answer = connection.call(
                    "POST", self.path, self.requests[number % len(self.requests)]
                )
                problem = (
                    None if status == 200 else f"status {status}: {answer[:120].decode(errors='replace')}"
                )
            except (http.client.HTTPException, OSError) as error:
                problem = f"{type(error).__name__}: {error}"
            with self.lock:
                if problem is None:
                    self.answered += 1
                else:
                    self.failures.append(problem)
            if problem:
                time.sleep(0.2)  # a service that refuses is not flooded


def watch(
    running: Callable[[], int], most: int, longest_s: float = LONGEST_S, settled_s: float = SETTLED_S
) -> list[list[float]]:
    """[[seconds, replicas that run], …] until `most` have run for `settled_s`, or `longest_s` is over."""
    begin, full_at = time.perf_counter(), None
    found: list[list[float]] = []
    while True:
        count, at = running(), time.perf_counter() - begin
        found.append([round(at, 2), count])
        if count >= most and full_at is None:
            full_at = at
            say(f"{count} replicas after {at:.0f} s")
        if at >= longest_s or (full_at is not None and at - full_at >= settled_s):
            return found
        time.sleep(ASK_S)


def examine(stack: Stack, result: dict[str, Any], workload: str | None) -> dict[str, Any]:
    """The load, and how many replicas ran under it; `serving.autoscale` of a result."""
    name = served_workload(result, workload, -1)  # the last one: the language model takes longest
    limits, ray, endpoint = result["serving"]["autoscaling"], stack.ray(), stack.inference()
    requests = bodies(result["configuration"]["workloads"][name]["model"])
    before = len(ray.replicas())
    say(f"{name}: {CLIENTS} requests under way, {before} replicas, limits {in_words(limits)}")
    with (
        HostLoad(engine.names(stack.inventory)) as host,
        ClosedLoad(endpoint, f"/v1/models/{name}:predict", requests, CLIENTS) as load,
    ):
        seen = watch(lambda: len(ray.replicas()), limits["max_replicas"])
    return {
        "workload": name,
        "clients": CLIENTS,
        "limits": limits,
        "replicas": seen,
        **summary(seen, limits["min_replicas"]),
        "answered": load.answered,
        "failed": len(load.failures),
        "failures": load.failures[:10],
        "host_load": host.record,
        "not_measured": {"scale_down": "five minutes without load are not awaited"},
    }


def summary(seen: Sequence[Sequence[float]], least: int) -> dict[str, Any]:
    """The fewest and most replicas that ran, and when there were more than the least."""
    counts = [int(count) for _, count in seen]
    return {
        "fewest": min(counts),
        "most": max(counts),
        "first_more_s": next((at for at, count in seen if count > least), None),
        "most_s": next(at for at, count in seen if count == max(counts)),
    }


def in_words(limits: dict[str, int]) -> str:
    return f"{limits['min_replicas']} to {limits['max_replicas']}"
