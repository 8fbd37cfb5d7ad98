"""Faults under load: one replica is killed, then another model is rolled out; no request may fail.

Poisson requests arrive at a declared rate all the while. The client sends nothing twice: a connection
that breaks is a failed request. What dies under a request must be repaired behind the endpoint, by the
proxies: a prediction has no side effect, so computing it again on another replica is safe.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.analysis.verdicts.serving import LEAST_ANSWERS
from benchmark.cluster import engine
from benchmark.cluster.ray_api import RayClient
from benchmark.cluster.replicas import await_models, deployment, limits_for
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.core import stats
from benchmark.core.errors import BenchmarkError, StackError
from benchmark.experiments.hostload import HostLoad
from benchmark.load.client import Answer, Connection, Endpoint, Sent, run_schedule, summarise

LONGEST_S = 420.0
QUIET_S = 5.0  # of load before and after an event
EVENT_S = 240.0
BIN_S = 0.5
LOAD_SEED = 11
Cards = dict[str, dict[str, Any]]
Mark = Callable[[str], None]


@dataclass
class Load:
    """Requests under way: what each answered, and when something was done to the service."""

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

    def mark(self, name: str) -> None:
        self.marks.append({"name": name, "at_s": round(time.perf_counter() - self.origin, 3)})

    def connect(self) -> Callable[[int], Sent]:
        connection = Connection(self.endpoint, retries=0)
        connection.call("GET", "/v1/models")

        def send(i: int) -> Sent:
            body = self.bodies[i % len(self.bodies)]
            try:
                status, answer = connection.call("POST", f"/v1/models/{self.workload}:predict", body)
                if status == 200:
                    self.hashes[i] = str(json.loads(answer)["model_sha256"])
                    return True, 0
                self.reasons[i] = f"status {status}: {answer[:120].decode(errors='replace')}"
            except (http.client.HTTPException, OSError, ValueError, KeyError) as error:
                self.reasons[i] = f"{type(error).__name__}: {error}"
            return False, 0

        return send

    def started(self, origin: float) -> None:
        self.origin = origin
        self.ready.set()

    def rest_s(self, past_s: float) -> float:
        """How long the load goes on after the event: until there are enough answers for a verdict."""
        wanted_s = min(1.2 * LEAST_ANSWERS / self.rate, LONGEST_S)
        return max(QUIET_S, wanted_s - past_s)

    def during(self, event: Callable[[Mark], None]) -> dict[str, Any]:
        """Load before, during and after `event`; the record. An event's error comes after the load's end."""
        schedule = stats.poisson_schedule(self.rate, LONGEST_S, LOAD_SEED)
        found: list[Answer] = []
        thread = threading.Thread(
            target=lambda: found.extend(
                run_schedule(schedule, self.connect, stop=self.stop, started=self.started)
            ),
            daemon=True,
        )
        thread.start()
        try:
            if not self.ready.wait(30):
                raise StackError("the load did not start within 30 s")
            time.sleep(QUIET_S)
            event(self.mark)
            time.sleep(self.rest_s(time.perf_counter() - self.origin))
        finally:
            self.stop.set()
            thread.join()
        return record(self, schedule, found)


def record(load: Load, schedule: Sequence[float], answers: Sequence[Answer]) -> dict[str, Any]:
    """Counts, percentiles, marks and time line of a load."""
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
    """Each model that answered: how often, first and last, in the order of the first answers."""
    found: dict[str, dict[str, Any]] = {}
    for at, sha256 in sorted(answers):
        row = found.setdefault(sha256, {"sha256": sha256, "answers": 0, "first_s": round(at, 3)})
        row["answers"] += 1
        row["last_s"] = round(at, 3)
    return list(found.values())


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
            f"rolling update: it needs a workload with models of two seeds ({trained or 'none'}); "
            "run the benchmark with a workload of two seeds or more"
        )
    return names[0], served, {**served, names[0]: others[names[0]]}


def served_workload(result: dict[str, Any], asked: str | None, otherwise: int) -> str:
    """The workload `asked` for, or the served one at this place; StackError if it is not served."""
    served = [row["workload"] for row in (result.get("serving") or {}).get("models", [])]
    name = asked or (served[otherwise] if served else "no workload")
    if name not in served:
        raise StackError(f"{name}: not served; served: {', '.join(served) or 'none'}")
    return name


def bodies(model: dict[str, Any]) -> list[bytes]:
    """Requests that fit the model of a workload's configuration."""
    if model["kind"] == "gpt":
        return [json.dumps({"instances": [f"def f{i}("]}).encode() for i in range(16)]
    rows = [[round((i * j) % 7 - 3 + i / 16, 4) for j in range(model["inputs"])] for i in range(16)]
    return [json.dumps({"instances": [row]}).encode() for row in rows]


def kill_one(stack: Stack, ray: RayClient, mark: Mark) -> dict[str, Any]:
    """SIGKILL to one replica; wait until as many run as before, without it."""
    before = ray.replicas()
    if len(before) < 2:
        raise StackError(f"serving: {len(before)} replica runs; at least two are needed to lose one")
    victim = before[0]
    container = engine.at_address(stack.inventory, str(victim["node_ip"]))
    mark("killed")
    engine.kill(container, int(victim["pid"]))
    begin = time.perf_counter()
    while True:
        names = {r["replica_id"] for r in ray.replicas()}
        if victim["replica_id"] not in names and len(names) >= len(before):
            break
        if time.perf_counter() - begin > EVENT_S:
            raise StackError(f"serving: the replica that was killed is not replaced after {EVENT_S:.0f} s")
        time.sleep(0.25)
    mark("replaced")
    return {"replica": victim["replica_id"], "container": container,
            "replaced_s": round(time.perf_counter() - begin, 1)}  # fmt: skip


def roll_out(ray: RayClient, endpoint: Endpoint, cards: Cards, limits: dict[str, int], mark: Mark) -> None:
    """Deploy the cards and wait until only they answer."""
    mark("update")
    ray.deploy(deployment(cards, limits), timeout_s=EVENT_S)
    await_models(Connection(endpoint), {n: c["sha256"] for n, c in cards.items()})
    mark("updated")


def examine(stack: Stack, result: dict[str, Any], workload: str | None, rate: float | None) -> dict[str, Any]:
    """Both faults, each under its own load. Afterwards the models that the result names are served again."""
    name, served, updated = candidates(result, workload)
    settings = result["configuration"]["workloads"][name]
    rate = rate or min(settings["serving"]["rates"])
    limits = (result.get("serving") or {}).get("autoscaling") or limits_for(stack.compute_nodes)
    ray, endpoint = stack.ray(), stack.inference()
    requests = bodies(settings["model"])
    found: dict[str, Any] = {"workload": name, "rate_rps": rate, "client_retries": 0, "errors": []}
    found["from_sha256"], found["to_sha256"] = served[name]["sha256"], updated[name]["sha256"]
    roll_out(ray, endpoint, served, limits, lambda _: None)

    def attempt(key: str, event: Callable[[Mark], Any]) -> None:
        facts: dict[str, Any] = {}
        try:
            with HostLoad(engine.names(stack.inventory)) as host:
                measured = Load(endpoint, name, requests, rate).during(lambda m: facts.update(event(m) or {}))
            found[key] = {**measured, **facts, "host_load": host.record}
            say(f"{key}: {measured['samples']} answers, {measured['errors']} failed")
        except BenchmarkError as error:
            found["errors"].append(f"{key}: {error}")
            say(f"{key}: {error}")

    try:
        say(f"{name}: one replica killed under {rate:g} requests/s")
        attempt("kill", lambda mark: kill_one(stack, ray, mark))
        say(f"{name}: rolling update under {rate:g} requests/s")
        attempt("update", lambda mark: roll_out(ray, endpoint, updated, limits, mark))
    finally:
        roll_out(ray, endpoint, served, limits, lambda _: None)
    return found
