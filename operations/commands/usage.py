"""CPUs and memory that each service used over a minute: what a stack costs while nobody asks anything of it.

CPUs are the mean over the time. Memory is what the kernel cannot take back: file cache does not count. Writes
`<out>/usage.json` (aidc.usage/1).

Exit codes: 0 measured; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from operations.engine.client import connect
from operations.errors import OK, RefusedError
from operations.measuring.documents import ServiceUsage, StackUsage
from operations.measuring.record import Record
from operations.measuring.usage import Watch, total
from operations.output import console, size
from operations.process import say


def main(stack: str, seconds: float = 60.0, out: Path | None = None) -> int:
    """Watch for so long, print the table, write the record. Raises RefusedError when nothing runs."""
    engine, record = connect(), Record(StackUsage, stack, out)
    if not any(container.running for container in engine.containers(stack)):
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    with Watch(engine, stack) as watch:
        say(f"watching for {seconds:g} s …")
        time.sleep(seconds)
    rows = watch.rows()
    document = record.filled(
        seconds=seconds,
        services=rows,
    )
    console().print(table(rows, f"stack {stack}, {seconds:g} s"))
    record.write(document)
    return OK


def table(rows: Sequence[ServiceUsage], title: str) -> Table:
    made = Table("service", "role", title=title, title_justify="left")
    for name in ("CPUs", "memory", "highest", "limit"):
        made.add_column(name, justify="right")
    for row in rows:
        cpus = f"{row.cpus:.3f}" if row.cpus is not None else "-"
        sizes = [size(amount) for amount in (row.memory_bytes, row.peak_bytes, row.limit_bytes)]
        made.add_row(row.name, row.role, cpus, *sizes)
    used, memory = total(rows)
    made.add_section()
    made.add_row("all", "", f"{used:.3f}", size(memory), "", "")
    return made
