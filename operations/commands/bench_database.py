"""PostgreSQL through TLS and SCRAM against a local socket, by pgbench, on throw-away servers.

A server with the stack's settings is asked over TLS with SCRAM, as the stack's clients do (`tls`), and over
its socket (`socket`); a second one with PostgreSQL's defaults is asked over its socket (`plain`). Modes: read
and write (as TPC-B), read, and connect for each read. The runs take turns. The stack's own database is not
touched; image, settings and limits are its own, but for archiving, which is off. Takes about eight minutes.
Writes `<out>/database-figures.json` (aidc.database-figures/1).

Exit codes: 0 measured; 1 a run failed; 2 the stack is not up, or no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from operations.engine.client import connect
from operations.errors import OK
from operations.measuring.database import measure
from operations.measuring.documents import DatabaseFigures, DatabaseRatio, DatabaseRow
from operations.measuring.record import Record, interval
from operations.output import console
from operations.process import say


def main(stack: str, out: Path | None = None, rounds: int = 8, seconds: float = 5.0) -> int:
    """Measure, print rows and ratios, write the record. Raises OperationError."""
    engine, record, whole = connect(), Record(DatabaseFigures, stack, out), max(1, round(seconds))
    rows, ratios, meanwhile = measure(
        engine, stack, rounds=rounds, seconds=whole, on_row=lambda row: say(line(row))
    )
    document = record.filled(
        load=meanwhile,
        run_s=whole,
        rows=rows,
        ratios=ratios,
    )
    console().print(table(ratios))
    record.write(document)
    return OK


def line(row: DatabaseRow) -> str:
    """One row for a terminal."""
    connecting = f", of which connecting {row.connect_ms:.2f} ms" if row.connect_ms is not None else ""
    return (
        f"{row.mode:<17} {row.way:<7} {row.median_tps:9.1f} transactions/s, "
        f"{row.latency_ms:.2f} ms each{connecting}"
    )


def table(ratios: list[DatabaseRatio]) -> Table:
    """Each ratio with its interval."""
    made = Table("mode", "transactions/s", title="database", title_justify="left")
    made.add_column("ratio", justify="right")
    made.add_column("95 % interval")
    for ratio in ratios:
        made.add_row(
            ratio.mode, f"{ratio.way} : {ratio.to}", f"{ratio.ratio:.3f}", interval(ratio.low, ratio.high)
        )
    return made
