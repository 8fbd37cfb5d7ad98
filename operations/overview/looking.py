"""One look at a stack: everything that `make status` shows, as a document. Remembers what is dear to ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from docker.errors import NotFound

from audit.storage import buckets
from audit.storage.check import INSIDE
from components.planning.inventory import Inventory, load
from components.runtime.health import judge
from components.runtime.labels import KIND, ROLE
from operations.drill import newest as drills
from operations.engine import alerts, usage
from operations.engine.client import Engine, EngineResource
from operations.errors import OperationError
from operations.jobs import listing, session
from operations.nodes import record as nodes
from operations.output import parse_time
from operations.overview import engine as asked
from operations.overview import records
from operations.stack import state
from operations.stack.pulumi import Pulumi
from operations.status_document import Backup, BackupJob, Job, LastDrill, Service, Status

T = TypeVar("T")
MISSING = "missing"
# Seconds that Ray has for its answer: a status is asked for when something does not answer.
RAY_WITHIN = 15.0


class Looker:
    """Looks at `stack` as often as it is asked to."""

    def __init__(self, engine: Engine, stack: str) -> None:
        self.engine, self.stack = engine, stack
        self._inventory: tuple[frozenset[str], Inventory] | None = None
        self._session: session.Session | None = None

    def look(self) -> Status:
        """Raises DockerException when the engine stops answering."""
        engine, stack = self.engine, self.stack
        resources = [t for t in engine.containers(stack) if t.labels.get(KIND) in ("service", "job")]
        with ThreadPoolExecutor(max_workers=6) as pool:
            # Ray is asked outside the pool, whose end waits for everything in it.
            ray = answered_within(RAY_WITHIN, self._jobs) if resources else None
            told = pool.submit(self._deployed, resources)
            backup = pool.submit(last_backup, engine, stack)
            drill = pool.submit(last_drill, engine, stack)
            refused = pool.submit(asked.refused, engine, stack)
            disk = pool.submit(asked.disk, engine, stack)
            fires = pool.submit(alerts.ask, engine, stack)
            inventory, remark = told.result()
            rows = collect(engine, inventory, resources)
            out = nodes.folder(stack)
            computing = {row.name for row in rows if row.role == "compute"}
            return Status(
                schema="aidc.status/1",
                stack=stack,
                healthy=bool(rows) and all(row.healthy for row in rows) and inventory is not None,
                services=rows,
                endpoints=inventory.endpoints if inventory else {},
                alerts=fires.result() if rows else None,
                last_backup=backup.result() if rows else None,
                last_drill=drill.result() if rows else None,
                undeclared_buckets=undeclared_buckets(engine, inventory) if inventory and rows else [],
                jobs=ray() if ray else None,
                nodes=nodes.verdicts(nodes.read(out), computing),
                last_audit=records.last_audit(out),
                last_benchmark=records.last_benchmark(out),
                refused=refused.result() if rows else None,
                disk=disk.result() if rows else None,
                remark=remark,
            )

    def _jobs(self) -> list[Job] | None:
        """None where Ray does not say."""
        try:
            opened = self._session or session.connect(self.stack)
            with session.reporting():
                found = listing.at_a_glance(listing.of_session(opened))
        except OperationError:
            self._session = None
            return None
        self._session = opened
        return found

    def _deployed(self, resources: Sequence[EngineResource]) -> tuple[Inventory | None, str | None]:
        """The deployed inventory, and a remark on what is happening to the stack."""
        there = frozenset(resource.identifier for resource in resources)
        pulumi = Pulumi(self.stack)
        at_work = [lock for lock in state.locks(self.stack, pulumi.environment) if lock.alive]
        remark = f"Pulumi is working on it (process {at_work[0].pid})" if at_work else None
        # It changes with the containers only, and costs a second.
        if self._inventory and self._inventory[0] == there and not at_work:
            return self._inventory[1], remark
        try:
            raw = pulumi.output("inventory")
        except OperationError as error:
            return None, str(error)
        if raw is None:
            return None, remark or (absent(self.stack, resources, pulumi.export()) if resources else None)
        self._inventory = there, load(raw)
        return self._inventory[1], remark


def answered_within(seconds: float, ask: Callable[[], T]) -> Callable[[], T | None]:
    """Start `ask` in the background; what is returned gives its answer, or None when it takes too long."""
    said: SimpleQueue[T] = SimpleQueue()
    Thread(target=lambda: said.put(ask()), daemon=True).start()

    def answer() -> T | None:
        try:
            return said.get(timeout=seconds)
        except Empty:
            return None

    return answer


def absent(stack: str, resources: Sequence[EngineResource], exported: Mapping[str, Any] | None) -> str:
    """Why containers run although this clone's state has no inventory."""
    _half_made, foreign = state.split_unrecorded(resources, exported)
    if not foreign:
        return f"`make up STACK={stack}` was interrupted; run it again to continue"
    more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    return (
        f"this clone's state does not know {foreign[0].name}{more}: they belong to another clone; manage the "
        "stack there, and for a stack of your own choose another name, cidr and ports"
    )


def collect(engine: Engine, inventory: Inventory | None, resources: list[EngineResource]) -> list[Service]:
    """One entry per declared service and per undeclared one that runs; without an inventory, all that run."""
    found = {t.name: t for t in resources}
    used = usage.sample(engine, [t.name for t in resources if t.running]) if resources else {}
    declared = {s.container: s for s in inventory.services} if inventory and resources else {}
    rows = []
    for container in (*declared, *sorted(set(found) - set(declared))):
        entry = declared.get(container)
        labels = found[container].labels if container in found else {}
        prefix = f"aidc-{labels.get('aidc.stack', '')}-"
        base: dict[str, Any] = {
            "name": entry.name if entry else container.removeprefix(prefix),
            "role": entry.role if entry else labels.get(ROLE, "?"),
            "container": container,
            "addresses": entry.addresses if entry else {},
        }
        try:
            raw = engine.inspect(container)
        except NotFound:
            rows.append(Service(**base, healthy=False, state=MISSING))
            continue
        rows.append(_row(base, raw, used.get(container)))
    return rows


def _row(base: Mapping[str, Any], raw: Mapping[str, Any], used: usage.Usage | None) -> Service:
    job = raw["Config"]["Labels"].get(KIND) == "job"
    # A service that is healthy now is healthy: restarts count only while it comes up.
    verdict = judge(raw["State"], 0, job)
    moment = parse_time(raw["State"].get("FinishedAt" if job else "StartedAt", ""))
    return Service(
        **base,
        healthy=verdict.done,
        state=verdict.state.splitlines()[0],
        since=moment.isoformat() if moment else None,
        cpus=round(used.cpus, 3) if used else None,
        memory_bytes=used.memory if used else None,
        memory_limit_bytes=used.limit if used else None,
    )


def last_backup(engine: Engine, stack: str) -> Backup | None:
    """The newest run, as the backup service records it; None when none has run."""
    text = engine.output(f"aidc-{stack}-backup", ["backup", "status"])
    try:
        found = json.loads(text or "")
        if found["run"] is None:
            return None
        jobs = {name: backup_job(job) for name, job in found.get("jobs", {}).items()}
        return Backup(
            result=found["state"],
            at=found["run"]["finished"],
            text=found["text"],
            jobs=jobs,
            not_saved=found.get("unsaved", []),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def backup_job(told: Mapping[str, Any]) -> BackupJob:
    """One job as the service tells it."""
    finished = (told["run"] or {}).get("finished")
    return BackupJob(result=told["state"], at=finished, schedule=told["schedule"], text=told["text"])


def undeclared_buckets(engine: Engine, inventory: Inventory) -> list[str]:
    """Buckets that the running store has and the deployed stack does not declare."""
    nodes = inventory.by_role("object-store")
    names = engine.output(nodes[0].container, ["buckets", "names", INSIDE]) if nodes else None
    # A stack of an older program exported no buckets.
    return buckets.undeclared(inventory.buckets, (names or "").split()) if inventory.buckets else []


def last_drill(engine: Engine, stack: str) -> LastDrill | None:
    """The newest drill; None when its service cannot be asked."""
    text = engine.output(f"aidc-{stack}-drill", ["backup", "trial-status"])
    try:
        return drills.newest(json.loads(text or ""), drills.read(nodes.folder(stack) / "drill.json"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
