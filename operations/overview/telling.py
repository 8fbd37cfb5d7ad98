"""Tells the stack's front door what only this clone knows: jobs, audits, benchmarks, checks of nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from docker.errors import DockerException

from benchmark.core.words import masked
from operations.engine.client import Engine, connect
from operations.errors import OperationError
from operations.front import handed
from operations.front.told import Told
from operations.jobs import listing, session
from operations.nodes import record
from operations.overview import records
from operations.process import warn
from operations.status_document import Status

# Seconds for which it may take what it is told, or a page: every `make status` tells it.
WITHIN = 30.0


def of_status(found: Status, now: datetime) -> Told:
    """What of a status the stack does not know by itself. Pure."""
    return Told(
        last_audit=found.last_audit,
        last_benchmark=found.last_benchmark,
        nodes=found.nodes,
        jobs=found.jobs,
        jobs_at=now.isoformat(timespec="seconds") if found.jobs is not None else None,
    )


def of_clone(folder: Path, nodes: Collection[str]) -> Told:
    """What `folder` holds, without a look at the stack; `nodes`: those that it has."""
    return Told(
        last_audit=records.last_audit(folder),
        last_benchmark=records.last_benchmark(folder),
        nodes=record.verdicts(record.read(folder), nodes),
    )


def tell(engine: Engine, stack: str, told: Told, folder: Path | None = None) -> bool:
    """Whether the front door took it; one that does not run is told the next time.

    `folder`: where the pages of the audit and the benchmark that are told of are; newer ones are handed over.
    """
    home, line = f"aidc-{stack}-home", told.model_dump_json(by_alias=True) + "\n"
    answers = deque[str](maxlen=1)
    try:
        if engine.converse(home, ["home", "tell"], line, answers.append, WITHIN):
            return False
        held = handed.heard(answers[-1] if answers else "")
        for header, page in pages(told, folder) if folder and answers else ():
            if handed.replaces(header, held.get(header.name)):
                _hand(engine, home, header, page)
    except (DockerException, OperationError, OSError):
        return False
    return True


def tell_jobs(stack: str, opened: session.Session) -> None:
    """The jobs as they are now, and how the nodes were found; who does not answer is told the next time."""
    try:
        with session.reporting():
            jobs = listing.at_a_glance(listing.of_session(opened))
        nodes = record.verdicts(record.read(record.folder(stack)), set(opened.names.values()))
        at = datetime.now(UTC).isoformat(timespec="seconds")
        tell(connect(), stack, Told(nodes=nodes, jobs=jobs, jobs_at=at))
    except OperationError:
        return


def pages(told: Told, folder: Path) -> Iterator[tuple[handed.Header, bytes]]:
    """The pages in `folder` of what is told; one that cannot be handed over is named."""
    audit, benchmark = told.last_audit, told.last_benchmark
    whose = {
        "report.html": (benchmark.at, benchmark.run) if benchmark else None,
        "audit.html": (audit.at, "") if audit else None,
    }
    for name, known in whose.items():
        path = folder / name
        if known is None or not path.is_file():
            continue
        try:
            if path.stat().st_size > handed.MOST:
                raise ValueError(f"{name} is larger than {handed.MOST >> 20} MiB")
            yield handed.of_page(name, path.read_text(encoding="utf-8"), *known)
        except (OSError, ValueError) as error:
            warn(f"the front door does not get {path}: {error}")


def _hand(engine: Engine, home: str, header: handed.Header, page: bytes) -> None:
    said = deque[str](maxlen=1)
    try:
        code = engine.converse(home, ["home", "take"], header.line() + page, said.append, WITHIN)
    except OSError as error:
        code, said = 1, deque([str(error)])
    if code:
        reason = masked(said[0])[:200] if said else "no reason given"
        warn(f"the front door did not take {header.name}: {reason}")
