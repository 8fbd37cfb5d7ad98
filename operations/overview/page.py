"""A status for people: a table of the services, and a line for each thing to know. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from components.planning.flows import STORE_GATEWAY
from operations.documents import Alert
from operations.front.last import is_old, last_of
from operations.output import ago, size
from operations.overview.looking import MISSING
from operations.status_document import Job, Service, Status

# A longer state is shortened in the table and printed in full below it.
STATE_WIDTH = 24
WIDTH = 12  # of the first column of lines
REFUSED_MOST = 6


def page(found: Status) -> list[RenderableType]:
    """What is printed, from top to bottom."""
    return [services(found.stack, found.services), Text("\n".join(lines(found)))]


def lines(found: Status) -> Iterator[str]:
    """Everything but the table."""
    for name, url in found.endpoints.items():
        if url:
            yield _line(name, url)
    if any(row.role == STORE_GATEWAY for row in found.services):
        yield "object store an outside one, not ours: `docker logs` of store-check says what was compared"
    for name, one in last_of(found).items():
        if one and one.at:
            age = f"{ago(datetime.fromisoformat(one.at))} ago; {one.text}"
            old = "; too old to count: `make audit`" if is_old(name, one, datetime.now(UTC)) else ""
            yield _line(name, f"{one.result}, {age}{old}")
        else:
            yield _line(name, one.text if one else "none yet")
    yield _line("alerts", alerts_line(found.stack, found.alerts))
    yield from jobs(found.jobs)
    yield from nodes(found)
    yield from machine(found)
    yield from advice(found)


def _line(name: str, text: str) -> str:
    return f"{name:<{WIDTH}} {text}"


def alerts_line(stack: str, found: Sequence[Alert] | None) -> str:
    """Which alerts fire, by name."""
    if found is None:
        return "the metrics service cannot be asked"
    names = sorted({alert.name for alert in found if alert.state == "firing"})
    return f"{', '.join(names)}; what to do: make alerts STACK={stack}" if names else "none"


def jobs(found: Sequence[Job] | None) -> Iterator[str]:
    """A line for each that has not ended; one for those that ended last."""
    if found is None:
        yield _line("jobs", "Ray does not say")
        return
    active = [job for job in found if job.state in ("waiting", "pending", "running")]
    ended = [job for job in found if job not in active]
    for job in active:
        what = f"{job.ranks} × {job.each}" if job.ranks and job.each else "submitted by other means"
        since = f", {ago(datetime.fromisoformat(job.submitted))}" if job.submitted else ""
        waits = f"; waits for {job.waits_for}" if job.waits_for else ""
        yield _line("job", f"{job.id} {job.state}{since}: {what}{waits}")
    if not active:
        yield _line("jobs", "none runs or waits")
    if ended:
        yield _line("ended last", ", ".join(f"{job.id} {job.state}" for job in ended))


def nodes(found: Status) -> Iterator[str]:
    """Nodes that get no ranks or that are waived; one line when all is well."""
    bad = [node for node in found.nodes if node.verdict != "pass"]
    for node in bad:
        what = "; ".join(f"{fault.check}: {fault.found}" for fault in node.faults)
        why = f"waived ({node.waiver})" if node.verdict == "waived" else "gets no ranks"
        yield _line("node", f"{node.node} {why}, {ago(datetime.fromisoformat(node.at))} ago; {what}")
    if found.nodes and not bad:
        oldest = min(datetime.fromisoformat(node.at) for node in found.nodes)
        yield _line("nodes", f"{len(found.nodes)} passed their check, {ago(oldest)} ago")


def machine(found: Status) -> Iterator[str]:
    """What the firewall has refused, and the disk."""
    if found.refused is not None:
        ends = [f"{name} {packets:,}" for name, packets in found.refused.items() if name != "all"]
        by = f": {', '.join(ends[:REFUSED_MOST])}" if found.refused["all"] else ""
        total = found.refused["all"]
        yield _line("refused", f"{total:,} packet{'' if total == 1 else 's'}{by}")
    if found.disk:
        free, total = found.disk.free_bytes, found.disk.total_bytes
        yield _line("disk", f"{size(free)} of {size(total)} are free")


def advice(found: Status) -> Iterator[str]:
    """What is wrong and how to mend it; else where to look next."""
    unhealthy = [row for row in found.services if not row.healthy]
    missing = [row.name for row in unhealthy if row.state == MISSING]
    if missing:
        yield f"missing: {', '.join(missing)}; fix: make up STACK={found.stack}"
    for row in unhealthy:
        if row.state != MISSING:
            yield f"{row.name}: {row.state}; look at: docker logs --tail 50 {row.container}"
    if found.remark:
        yield found.remark
    if found.last_backup and found.last_backup.not_saved:
        saved = ", ".join(found.last_backup.not_saved)
        yield f"saved by no backup job: {saved}; fix: backup.jobs, docs/backup.md"
    if found.undeclared_buckets:
        yield (
            "buckets that are not declared, so nobody may use them and no backup saves them: "
            f"{', '.join(found.undeclared_buckets)}; fix: docs/object-store.md"
        )
    if not unhealthy:
        count = len(found.services)
        yield (
            f"{count} of {count} healthy; logs: docker logs {found.services[0].container} | "
            f"how to call it: python -m operations access --stack {found.stack}"
        )


def services(stack: str, rows: Sequence[Service]) -> Table:
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
