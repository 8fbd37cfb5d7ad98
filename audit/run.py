"""The whole audit: parts one after another, each timed, then one document. Effects: those of all parts."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from audit.attacks.check import check as attacks
from audit.certificates.check import check as certificates
from audit.context import Context
from audit.document import SCHEMA, Document, Environment, Timing, VerdictRecord
from audit.drift.check import check as drift
from audit.policies.check import check as policies
from audit.reachability.check import check as reachability
from audit.records import Record
from audit.restorable.check import check as restorable
from audit.storage.check import check as storage
from audit.supply_chain import check as supply_chain
from audit.verdicts import Part, Row, counts
from audit.waivers.check import check as waivers

T = TypeVar("T")

# Name of the part in the document → what checks it.
PARTS: Mapping[str, Callable[[Context], Part]] = {
    "reachability": reachability,
    "drift": drift,
    "policies": policies,
    "attacks": attacks,
    "certificates": certificates,
    "storage": storage,
    "restorable": restorable,
    "waivers": waivers,
    "packages": supply_chain.packages,
    "advisories": supply_chain.reviews,
    "sbom": supply_chain.bills,
    "python": supply_chain.lock_files,
}


def background(work: Callable[[], T]) -> Future[T]:
    """Start `work` in a daemon thread: an interrupt must not hang on a download."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def run(
    context: Context,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    parts: Mapping[str, Callable[[Context], Part]] = PARTS,
    *,
    begun: float | None = None,
) -> Document:
    """All parts in one document. A part that breaks is a failed row: nothing is left out.

    `begun` is when the audit began, by the monotonic clock, if gathering what it needs took some time before.
    `environment`: the fields of audit.document.Environment that this machine does not know by itself.
    """
    clock = time.monotonic() if begun is None else begun
    started = datetime.now(UTC) - timedelta(seconds=time.monotonic() - clock)
    verdicts: list[VerdictRecord] = []
    timings: list[Timing] = []
    data: dict[str, Record] = {}
    if begun is not None:
        timings.append(Timing(part="plan, state and engine", seconds=round(time.monotonic() - begun, 2)))
    for name, part in parts.items():
        say(f"{name} …")
        since = time.monotonic()
        done = attempt(name, part, context)
        seconds = round(time.monotonic() - since, 2)
        say(f"  {summary(done.rows)}, {seconds:.1f} s")
        timings.append(Timing(part=name, seconds=seconds))
        data[name] = done.data
        verdicts += [record(name, row) for row in done.rows]
    fields = {
        "schema": SCHEMA,
        "stack": context.stack,
        "started": started,
        "seconds": round(time.monotonic() - clock, 2),
        "passed": all(v.verdict != "fail" for v in verdicts),
        "environment": Environment(
            **{"kernel": platform.release(), "machine": platform.machine(), **environment}
        ),
        "verdicts": verdicts,
        "timings": timings,
    }
    return Document.model_validate(fields | data)


def attempt(name: str, part: Callable[[Context], Part], context: Context) -> Part:
    """The part, or a failed row that says what broke it."""
    try:
        return part(context)
    except Exception as error:
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0] if text else 'no reason given'}"
        fix = "see `make status`; if the stack is healthy, this is a fault of the audit itself"
        return Part((Row(name, "fail", f"could not be checked: {reason}", fix),))


def record(part: str, row: Row) -> VerdictRecord:
    return VerdictRecord(part=part, name=row.name, verdict=row.verdict, detail=row.detail, fix=row.fix)


def summary(rows: tuple[Row, ...]) -> str:
    """`12 pass, 1 fail`."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counts(rows).items() if number)
