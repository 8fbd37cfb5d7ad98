"""A restore from the question to the outcome, as `restore` and `rebuild` share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from components.planning import buckets
from components.planning.databases import DATABASES
from components.planning.flows import STORE_GATEWAY
from components.planning.plan import Plan, make_plan
from operations.confirmation import ask
from operations.engine.client import Engine, connect
from operations.errors import FAILED, OK, OperationError, RefusedError, refusal
from operations.output import count, size
from operations.process import say
from operations.restoring import session
from operations.restoring.archive import ArchiveRestore
from operations.restoring.bar import Bar
from operations.restoring.order import Sources, chosen
from operations.restoring.services import renew
from operations.restoring.session import Request
from operations.rotation.subject import Subject
from operations.stack.file import read
from operations.stack.pulumi import Pulumi

PARTIAL = 3
STORES = ("object-store", STORE_GATEWAY)


def declared(plan: Plan) -> Sources:
    """What a restore puts back. The database's own archive is not: a new server begins a new one."""
    names = (bucket.name for bucket in plan.buckets if bucket.name != buckets.DATABASE)
    return Sources(tuple(names), tuple(database.name for database in DATABASES))


def request(
    plan: Plan, asked: str | None, at: str | None = None, among: tuple[str, ...] | None = None
) -> Request:
    """What SOURCES and AT ask for. Raises RefusedError."""
    sources, issues = chosen(asked, declared(plan))
    if issues:
        raise refusal(issues, "nothing was restored")
    return Request(sources, at, among)


def subject_of(stack: str) -> Subject:
    """The running stack. Raises RefusedError when it is not up."""
    file = read(stack)
    config, issues = file.check(None)
    if config is None or issues:
        raise refusal(issues, "nothing was restored")
    engine, plan = connect(), make_plan(stack, config)
    needed = ("backup", "vault", "database", *(s.name for role in STORES for s in plan.by_role(role)))
    away = [name for name in needed if not _runs(engine, plan.service(name).container)]
    if away:
        raise RefusedError(f"stack {stack}: {', '.join(away)} not running; fix: `make up STACK={stack}`")
    return Subject(plan, engine, Pulumi(stack).seed(), file.generations())


def restore(subject: Subject, wanted: Request, *, yes: bool) -> int:
    """The exit code. Raises RefusedError where the stack holds something or nobody confirms."""
    # Of an earlier restore, even where this one is refused.
    session.dismiss(subject)
    plan = session.plan(subject, wanted)
    for line in describe(plan):
        say(line)
    wanted = without_finished(plan, wanted)
    if held := {source: what for source, what in plan["held"].items() if source in wanted.sources.names()}:
        raise RefusedError(refuse(subject.plan.stack, held))
    confirm(subject.plan.stack, yes)
    with ArchiveRestore(subject.engine, subject.plan.stack) as archive:
        ready = None
        if wanted.sources.databases == declared(subject.plan).databases:
            ready = archive.prepare(plan["with_log"], wanted.at)
        if ready:
            wanted = replace(wanted, sources=Sources(wanted.sources.buckets, ()))
        with Bar() as bar:

            def put() -> None:
                step = {"step": "putting the databases in place", "of": 1, "bytes": 0, "of_bytes": 0}
                bar.show({**step, "done": 0})
                archive.put(subject.container("database"))
                bar.show({**step, "done": 1})

            done, left = session.carry_out(subject, wanted, bar.show, put if ready else None)
    if ready or wanted.sources.databases:
        renew(subject.engine, subject.plan)
    for line in outcome(done):
        say(line)
    if ready:
        compared = count(ready.tables, "table")
        say(f"databases from their archive: rows until {ready.until}; {compared} compared at a moment of it")
    if left:
        raise OperationError(left)
    return {"ok": OK, "partial": PARTIAL}.get(done["result"], FAILED)


def without_finished(plan: Mapping[str, Any], wanted: Request) -> Request:
    """Of a restore that goes on: databases that hold rows are there already, as all are put back at once."""
    there = [name for name in wanted.sources.databases if f"database/{name}" in plan["held"]]
    if not plan["resumes"] or not there:
        return wanted
    return replace(wanted, sources=Sources(wanted.sources.buckets, ()))


def describe(plan: Mapping[str, Any]) -> list[str]:
    """What is going to be restored, for a terminal."""
    lines = []
    for part in plan["parts"]:
        taken = datetime.fromisoformat(str(part["taken"])[:19] + "+00:00")
        kind = "partial snapshot" if part["partial"] else "snapshot"
        of_job = f", job {part['job']}" if part["job"] else ""
        lines.append(f"{kind} {part['snapshot'][:8]} of {taken:%Y-%m-%d %H:%M:%S} UTC{of_job}")
        lines += [f"  {source}: {_held(plan, source)}" for source in part["sources"] if _held(plan, source)]
    if plan["passed_over"]:
        lines.append(f"  (passed over: {count(plan['passed_over'], 'newer snapshot')} of an empty stack)")
    if plan["resumes"]:
        lines.append("  (an interrupted restore goes on)")
    return [*lines, *(f"  {source}: in no snapshot" for source in plan["missing"])]


def _held(plan: Mapping[str, Any], source: str) -> str:
    """What the snapshot holds of a source; empty where that is not known."""
    kind, _, name = source.partition("/")
    if found := plan["buckets"].get(name) if kind == "bucket" else None:
        lost = f", {found['lost']} of them without a copy" if found["lost"] else ""
        return f"{count(found['objects'], 'object')}, {size(found['bytes'])}{lost}"
    if found := plan["databases"].get(name) if kind == "database" else None:
        return f"{count(found['rows'], 'row')} in {count(found['tables'], 'table')}"
    return ""


def refuse(stack: str, held: Mapping[str, str]) -> str:
    """Why a stack that holds something is left alone, and how to empty it without its vault."""
    lines = [f"  {source} holds {what}" for source, what in held.items()]
    return "\n".join(
        [
            f"stack {stack} is not empty; nothing was restored",
            *lines,
            "    fix: name only what is empty with SOURCES=…, or empty it but for the vault "
            f'(docs/backup.md, "Onto an emptied stack"): make destroy STACK={stack}, remove the data volumes '
            "of the object store and the database, make up, make restore",
        ]
    )


def confirm(stack: str, yes: bool) -> None:
    """Ask before what the databases hold of their own is replaced. Raises RefusedError."""
    if yes:
        return
    ask(
        f"Type the stack's name ({stack}) to restore all of this into it: ",
        stack,
        unasked="not confirmed, as there is no terminal to ask; fix: add YES=1",
        consequence="nothing was restored",
    )


def outcome(done: Mapping[str, Any]) -> list[str]:
    """What came of it, for a terminal."""
    rows = sum(int(found["rows"]) for found in done["databases"].values())
    read_back = (
        f"{count(done['objects'], 'object')} ({size(done['bytes'])}) by hash, {count(rows, 'row')} by digest"
    )
    lines = [f"  {fault}" for fault in done["faults"]]
    lines += [f"  {source}: was in no snapshot" for source in done["missing"]]
    failed = f"; {done['failed']} could not be restored" if done["failed"] else ""
    lost = f"; {done['lost']} without a copy in the snapshot" if done["lost"] else ""
    what = "FAILED" if done["result"] == "failed" else "done" if done["result"] == "ok" else "partial"
    return [*lines, f"restore {what} in {done['seconds']:.0f} s: compared {read_back}{failed}{lost}"]


def _runs(engine: Engine, container: str) -> bool:
    found = {resource.name: resource.running for resource in engine.containers()}
    return found.get(container, False)
