"""`make status`: the health of every service, the endpoints, and where to look next.

Exit codes: 0 every service is healthy; 1 a service is not healthy, or the stack is not up; 2 no engine
answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from docker.errors import NotFound
from rich.markup import escape
from rich.table import Table

from audit.storage import buckets
from audit.storage.check import INSIDE
from components.planning.flows import STORE_GATEWAY
from components.planning.inventory import Inventory, load
from components.planning.paths import ROOT
from components.runtime.health import judge
from components.runtime.labels import KIND, ROLE
from operations.documents import Alert, Backup, BackupJob, LastDrill, Service, Status, content
from operations.drill import newest as drills
from operations.engine import alerts, usage
from operations.engine.client import Engine, EngineError, EngineResource, connect
from operations.errors import FAILED, OK, OperationError, RefusedError
from operations.output import ago, console, parse_time, size
from operations.process import say
from operations.stack import state
from operations.stack.file import read
from operations.stack.pulumi import Pulumi

MISSING = "missing"
# A longer state is shortened in the table and printed in full below it.
STATE_WIDTH = 24


def main(stack: str, *, as_json: bool) -> int:
    """Print the status of `stack`; see the module for the exit code."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    resources = [t for t in engine.containers(stack) if t.labels.get(KIND) in ("service", "job")]
    inventory, remark = _inventory(stack, resources)
    rows = collect(engine, inventory, resources)
    healthy = bool(rows) and all(row.healthy for row in rows) and inventory is not None
    endpoints = inventory.endpoints if inventory else {}
    backup = last_backup(engine, stack) if rows else None
    drill = last_drill(engine, stack) if rows else None
    fires = alerts.ask(engine, stack) if rows else None
    foreign = undeclared_buckets(engine, inventory) if inventory and rows else []
    if as_json:
        document = Status(
            schema="aidc.status/1",
            stack=stack,
            healthy=healthy,
            services=rows,
            endpoints=endpoints,
            alerts=fires,
            last_backup=backup,
            last_drill=drill,
            undeclared_buckets=foreign,
            remark=remark,
        )
        say(json.dumps(content(document), indent=2))
    elif not rows:
        say(_why_nothing(stack, remark))
    else:
        console().print(_table(stack, rows))
        _epilogue(stack, rows, endpoints, {**backup_lines(backup), "last drill": drill}, remark)
        say(f"{'alerts':<12} {alerts_line(stack, fires)}")
        if backup and backup.not_saved:
            say(f"saved by no backup job: {', '.join(backup.not_saved)}; fix: backup.jobs, docs/backup.md")
        if foreign:
            say(f"buckets that are not declared, so nobody may use them and no backup saves them: "
                f"{', '.join(foreign)}; fix: docs/object-store.md")  # fmt: skip
    return OK if healthy else FAILED


def _why_nothing(stack: str, remark: str | None) -> str:
    """What to say where no container of the stack exists."""
    file = read(stack)
    if not file.path.is_file():
        return str(file.issues[0])
    return f"stack {stack} is not up; {remark or f'fix: `make up STACK={stack}`'}"


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


def _inventory(stack: str, resources: Sequence[EngineResource]) -> tuple[Inventory | None, str | None]:
    """The deployed inventory, and a remark on what is happening to the stack."""
    pulumi = Pulumi(stack)
    at_work = [lock for lock in state.locks(stack, pulumi.environment) if lock.alive]
    remark = f"Pulumi is working on it (process {at_work[0].pid})" if at_work else None
    try:
        raw = pulumi.output("inventory")
    except OperationError as error:
        return None, str(error)
    if raw is None:
        return None, remark or (absent(stack, resources, pulumi.export()) if resources else None)
    return load(raw), remark


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


def alerts_line(stack: str, found: Sequence[Alert] | None) -> str:
    """Which alerts fire, by name."""
    if found is None:
        return "the metrics service cannot be asked"
    names = sorted({alert.name for alert in found if alert.state == "firing"})
    return f"{', '.join(names)}; what to do: make alerts STACK={stack}" if names else "none"


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
    except (ValueError, KeyError, TypeError):
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
        return drills.newest(json.loads(text or ""), drills.read(ROOT / "out" / stack / "drill.json"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def backup_lines(backup: Backup | None) -> dict[str, Backup | BackupJob | None]:
    """A line for the backup; where there are several jobs, one for each."""
    if backup is None or len(backup.jobs) < 2:
        return {"last backup": backup}
    return {f"backup {name}": job for name, job in backup.jobs.items()}


def _table(stack: str, rows: list[Service]) -> Table:
    table = Table(
        "service", "role", "health", "since", "addresses", title=f"stack {stack}", title_justify="left"
    )
    table.add_column("CPUs", justify="right")
    table.add_column("memory", justify="right")
    for row in rows:
        since = ago(datetime.fromisoformat(row.since)) if row.since else "-"
        where = " ".join(f"{segment}={ip}" for segment, ip in row.addresses.items()) or "-"
        cpus = f"{row.cpus:.2f}" if row.cpus is not None else "-"
        memory = "-"
        if row.memory_bytes is not None and row.memory_limit_bytes:
            memory = f"{size(row.memory_bytes)} of {size(row.memory_limit_bytes)}"
        colour = "green" if row.healthy else "red"
        short = row.state if len(row.state) <= STATE_WIDTH else f"{row.state[: STATE_WIDTH - 1]}…"
        state = f"[{colour}]{escape(short)}[/]"
        table.add_row(row.name, row.role, state, since, where, cpus, memory)
    return table


def _epilogue(
    stack: str,
    rows: list[Service],
    endpoints: Mapping[str, str | None],
    last: Mapping[str, Backup | BackupJob | LastDrill | None],
    remark: str | None,
) -> None:
    for name, url in endpoints.items():
        if url:
            say(f"{name:<12} {url}")
    if any(row.role == STORE_GATEWAY for row in rows):
        say("object store an outside one, not ours: `docker logs` of store-check says what was compared")
    for name, found in last.items():
        if found and found.at:
            say(f"{name:<12} {found.result}, {ago(datetime.fromisoformat(found.at))} ago; {found.text}")
        else:
            say(f"{name:<12} {found.text if found else 'none yet'}")
    unhealthy = [row for row in rows if not row.healthy]
    missing = [row.name for row in unhealthy if row.state == MISSING]
    if missing:
        say(f"missing: {', '.join(missing)}; fix: make up STACK={stack}")
    for row in unhealthy:
        if row.state != MISSING:
            say(f"{row.name}: {row.state}; look at: docker logs --tail 50 {row.container}")
    if remark:
        say(remark)
    if not unhealthy:
        say(f"{len(rows)} of {len(rows)} healthy; logs: docker logs {rows[0].container} | "
            f"how to call it: python -m operations access --stack {stack}")  # fmt: skip
