"""`python -m benchmark resilience`: kill a replica and roll out another model, under load.

Poisson requests arrive at a declared rate throughout, and none may fail. The client retries nothing: a broken
connection is a failed request. The proxies behind the endpoint must handle a replica that dies during a
request: a prediction has no side effects, so it is safe to compute it again on another replica.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmark.analysis.verdicts.serving import LEAST_ANSWERS
from benchmark.cluster import engine
from benchmark.cluster.connection import Connection, Endpoint, predict_path
from benchmark.cluster.hostload import HostLoad
from benchmark.cluster.inventory import container_at, container_names
from benchmark.cluster.ray_api import RayClient
from benchmark.cluster.replicas import limits_for, models_of, roll_out
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.core import stats
from benchmark.core.errors import BenchmarkError, ConfigError, StackError
from benchmark.experiments import served_models
from benchmark.experiments.options import ServingOptions, add_served_model
from benchmark.load.open_loop import FAILED, Answer, Send, Sent, run_schedule, summarise

LONGEST_S = 420.0
QUIET_S = 5.0  # of load before and after an event
EVENT_S = 240.0
BIN_S = 0.5
LOAD_SEED = 11
Cards = dict[str, dict[str, Any]]
Mark = Callable[[str], None]


@dataclass(frozen=True)
class Options(ServingOptions):
    rate: float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_served_model(parser)
    parser.add_argument("--rate", type=float, help="requests/s (default: the lowest declared rate)")


def main(options: Options) -> int:
    if options.rate is not None and not options.rate > 0:
        raise ConfigError([f"--rate: {options.rate:g}: give a number of requests per second above 0"])
    return served_models.measure(
        options,
        "resilience",
        lambda stack, result: examine(stack, result, options.workload, options.rate),
    )


@dataclass
class Load:
    """Requests in flight: the answer to each, and when something was done to the service."""

    endpoint: Endpoint
    workload: str
    bodies: Sequence[bytes]
    rate: float
    stop: threading.Event = field(default_factory=threading.Event)
    ready: threading.Event = field(default_factory=threading.Event)
    origin: float = 0.0
    hashes: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    marks: list[dict[str, Any]] = field(default_factory=list)
    connections: ExitStack = field(default_factory=ExitStack)

    def mark(self, name: str) -> None:
        self.marks.append({"name": name, "at_s": round(time.perf_counter() - self.origin, 3)})

    def connect(self) -> Send:
        connection = self.connections.enter_context(Connection(self.endpoint, retries=0))
        connection.call("GET", "/v1/models")

        def send(i: int) -> Sent:
            body = self.bodies[i % len(self.bodies)]
            try:
                status, answer = connection.call("POST", predict_path(self.workload), body)
                if status == 200:
                    self.hashes[i] = str(json.loads(answer)["model_sha256"])
                    return Sent(ok=True)
                self.reasons[i] = f"status {status}: {answer[:120].decode(errors='replace')}"
            except (http.client.HTTPException, OSError, ValueError, KeyError) as error:
                self.reasons[i] = f"{type(error).__name__}: {error}"
            return FAILED

        return send

    def started(self, origin: float) -> None:
        self.origin = origin
        self.ready.set()

    def rest_s(self, past_s: float) -> float:
        """How long the load continues after the event: until there are enough answers for a verdict."""
        wanted_s = min(1.2 * LEAST_ANSWERS / self.rate, LONGEST_S)
        return max(QUIET_S, wanted_s - past_s)

    def during(self, event: Callable[[Mark], None]) -> dict[str, Any]:
        """Load before, during and after `event`; the record. The event's error is raised at the end."""
        schedule = stats.poisson_schedule(self.rate, LONGEST_S, LOAD_SEED)
        with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
            load = pool.submit(run_schedule, schedule, self.connect, stop=self.stop, started=self.started)
            # A load that fails at once would never be ready.
            load.add_done_callback(lambda _: self.ready.set())
            try:
                if not self.ready.wait(30):
                    raise StackError("the load did not start within 30 s")
                if not load.done():
                    time.sleep(QUIET_S)
                    event(self.mark)
                    time.sleep(self.rest_s(time.perf_counter() - self.origin))
            finally:
                self.stop.set()
                wait([load])
                self.connections.close()
        # Raises what ended the load, if anything did.
        return record(self, schedule, load.result())


def record(load: Load, schedule: Sequence[float], answers: Sequence[Answer]) -> dict[str, Any]:
    """Counts, percentiles, marks and timeline of a load."""
    failed = [a for a in answers if not a.ok]
    return {
        **{k: v for k, v in summarise(answers).items() if k != "ecdf"},
        "marks": load.marks,
        "failures": [
            {"at_s": round(schedule[a.number], 3), "reason": load.reasons.get(a.number, "no connection")}
            for a in sorted(failed, key=lambda a: a.number)[:50]
        ],
        "timeline": timeline([(schedule[a.number], a.latency * 1e3) for a in answers if a.ok]),
        "versions": versions(
            [
                (schedule[a.number] + a.latency, load.hashes[a.number])
                for a in answers
                if a.number in load.hashes
            ]
        ),
    }


def timeline(points: Sequence[tuple[float, float]], width: float = BIN_S) -> list[list[float]]:
    """[[middle of the bin in s, median, worst latency in ms], …] of (due, latency)."""
    bins: dict[int, list[float]] = {}
    for due, latency in points:
        bins.setdefault(int(due / width), []).append(latency)
    return [
        [round((k + 0.5) * width, 3), round(sorted(v)[len(v) // 2], 3), round(max(v), 3)]
        for k, v in sorted(bins.items())
    ]


def versions(answers: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    """Each model that answered: how often, first and last time, in the order of the first answers."""
    rows: dict[str, dict[str, Any]] = {}
    for at, sha256 in sorted(answers):
        row = rows.setdefault(sha256, {"sha256": sha256, "answers": 0, "first_s": round(at, 3)})
        row["answers"] += 1
        row["last_s"] = round(at, 3)
    return list(rows.values())


def candidates(result: dict[str, Any], workload: str | None = None) -> tuple[str, Cards, Cards]:
    """(workload, the served cards, the same with the workload's next seed); StackError if there is none."""
    served: Cards = {}
    others: dict[str, dict[str, Any]] = {}
    for run in result["training"]:
        name, model = run["workload"], run.get("model")
        if not model:
            continue
        if name not in served:
            served[name] = model
        elif name not in others and model["sha256"] != served[name]["sha256"]:
            others[name] = model
    names = [workload] if workload else list(others)
    if not names or names[0] not in others:
        trained = (
            f"{workload} has one trained model" if workload in served else f"trained: {', '.join(served)}"
        )
        raise StackError(
            f"rolling update: needs a workload with models of two seeds ({trained or 'none'}); "
            "run the benchmark with a workload of two seeds or more"
        )
    return names[0], served, {**served, names[0]: others[names[0]]}


def kill_one(stack: Stack, ray: RayClient, mark: Mark) -> dict[str, Any]:
    """SIGKILL to one replica; wait until as many others run as before."""
    before = ray.replicas()
    if len(before) < 2:
        raise StackError(
            f"serving: {len(before)} of at least 2 replicas run; the last one must not be killed"
        )
    victim = before[0]
    container = container_at(stack.inventory, str(victim["node_ip"]))
    mark("killed")
    engine.kill_process(container, int(victim["pid"]))
    begin = time.perf_counter()
    while True:
        names = {r["replica_id"] for r in ray.replicas()}
        if victim["replica_id"] not in names and len(names) >= len(before):
            break
        if time.perf_counter() - begin > EVENT_S:
            raise StackError(f"serving: the killed replica was not replaced within {EVENT_S:.0f} s")
        time.sleep(0.25)
    mark("replaced")
    return {"replica": victim["replica_id"], "container": container,
            "replaced_s": round(time.perf_counter() - begin, 1)}  # fmt: skip


def examine(stack: Stack, result: dict[str, Any], workload: str | None, rate: float | None) -> dict[str, Any]:
    """Both faults, each under its own load. Afterwards the models of the result are served again."""
    name, served, updated = candidates(result, workload)
    settings = result["configuration"]["workloads"][name]
    rate = rate or min(settings["serving"]["rates"])
    limits = (result.get("serving") or {}).get("autoscaling") or limits_for(stack.compute_nodes)
    ray, endpoint = stack.ray(), stack.inference()
    requests = served_models.request_bodies(settings["model"])
    outcome: dict[str, Any] = {"workload": name, "rate_rps": rate, "client_retries": 0, "errors": []}
    outcome["from_sha256"], outcome["to_sha256"] = served[name]["sha256"], updated[name]["sha256"]
    roll_out(ray, endpoint, models_of(served), limits)

    def attempt(key: str, event: Callable[[Mark], Any]) -> None:
        facts: dict[str, Any] = {}
        try:
            with HostLoad(container_names(stack.inventory)) as host:
                measured = Load(endpoint, name, requests, rate).during(lambda m: facts.update(event(m) or {}))
            outcome[key] = {**measured, **facts, "host_load": host.record}
            say(f"{key}: {measured['samples']} answers, {measured['errors']} failed")
        except BenchmarkError as error:
            outcome["errors"].append(f"{key}: {error}")
            say(f"{key}: {error}")

    try:
        say(f"{name}: one replica killed under {rate:g} requests/s")
        attempt("kill", lambda mark: kill_one(stack, ray, mark))
        say(f"{name}: rolling update under {rate:g} requests/s")
        attempt("update", lambda mark: roll_out(ray, endpoint, models_of(updated), limits, mark))
    finally:
        roll_out(ray, endpoint, models_of(served), limits)
    return outcome
