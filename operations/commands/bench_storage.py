"""Throughput and latency of the object store: through the load balancer, direct, and without its protection.

PUT and GET by object size and number of clients, in segments of some seconds that take turns. The clients run
in the load balancer's network, from where both the load balancer and the nodes may be reached; what they
write goes into the bucket `results` and is removed. The third way is the same software in throw-away
containers, with the same limits and erasure code, without TLS and encryption. Takes about 12 minutes. Writes
`<out>/storage.json` (aidc.storage/1).

Exit codes: 0 measured; 1 a request failed; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from components.planning.inventory import load
from components.planning.units import size_text
from operations.engine.client import connect
from operations.errors import FAILED, OK, RefusedError
from operations.measuring.documents import Storage, StorageRatio, StorageRow
from operations.measuring.record import Record, interval
from operations.measuring.storage import measure
from operations.output import console
from operations.process import say
from operations.stack.pulumi import Pulumi


def main(stack: str, out: Path | None = None, rounds: int = 8, seconds: float = 2.0) -> int:
    """Measure, print the tables, write the record. Raises RefusedError when the stack is not up."""
    pulumi, engine, record = Pulumi(stack), connect(), Record(Storage, stack, out)
    raw, access = pulumi.output("inventory"), pulumi.output("access", secret=True)
    if raw is None or access is None:
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    inventory = load(raw)
    if not inventory.by_role("object-store"):
        say(f"stack {stack} uses an outside store, not ours: there is nothing to compare it with")
        return OK
    rows, ratios, meanwhile = measure(
        engine, inventory, access, rounds=rounds, seconds=seconds, on_row=lambda row: say(line(row))
    )
    document = record.filled(
        load=meanwhile,
        segment_s=seconds,
        rows=rows,
        ratios=ratios,
    )
    console().print(table(ratios))
    record.write(document)
    broken = [row for row in rows if row.faults]
    for row in broken:
        say(f"{row.faults} of {row.operations + row.faults} requests failed: {line(row)}: {row.first_fault}")
    return FAILED if broken else OK


def line(row: StorageRow) -> str:
    """One row for a terminal."""
    p99 = f"{row.p99_ms:8.1f}" if row.p99_ms is not None else f"{'-':>8}"
    return (
        f"{row.operation} {size_text(row.bytes):>6} x{row.clients}  {row.way:<9} {row.median_mb_s:8.1f} "
        f"MB/s  p50 {row.p50_ms or 0:8.1f} ms  p95 {row.p95_ms or 0:8.1f}  p99 {p99}"
    )


def table(ratios: list[StorageRatio]) -> Table:
    """Each ratio with its interval."""
    made = Table(
        "operation", "bytes", "clients", "ratio of throughput", title="storage", title_justify="left"
    )
    made.add_column("measured", justify="right")
    made.add_column("95 % interval")
    for ratio in ratios:
        made.add_row(
            ratio.operation,
            size_text(ratio.bytes),
            str(ratio.clients),
            f"{ratio.way} : {ratio.to}",
            f"{ratio.ratio:.3f}",
            interval(ratio.low, ratio.high),
        )
    return made
