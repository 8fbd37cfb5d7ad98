"""Seconds from a command to the first step of a training: `aidc submit`, `ray job submit`, and torchrun.

The ways take turns with the same script. By `ray job submit` a driver with Ray Train starts the ranks; it is
left out where the program `ray` is missing (docs/jobs.md says which one). torchrun runs on this machine
itself, without the stack. Writes `<out>/submit-figures.json` (aidc.submit-figures/1).

Exit codes: 0 measured; 1 a way did not come to a step; 2 the stack is not up.
"""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from operations.engine.client import connect
from operations.errors import OK
from operations.jobs import session
from operations.measuring import submission
from operations.measuring.documents import SubmitFigures, SubmitRatio
from operations.measuring.record import Record, host_load, interval, load_of
from operations.output import console
from operations.process import say


def main(stack: str, out: Path | None = None, rounds: int = 8, ranks: int = 2) -> int:
    """Measure, print times and ratios, write the record. Raises OperationError."""
    record, engine = Record(SubmitFigures, stack, out), connect()
    session.connect(stack)
    with session.reporting(), host_load(engine, stack) as host:
        rows, ratios = submission.measure(
            stack, ranks, rounds, lambda way, seconds: say(f"  {way:<9}{seconds:6.2f} s")
        )
    if submission.RAY not in {row.way for row in rows}:
        say("there is no program `ray`: that way was left out; docs/jobs.md#rays-own-ways")
    document = record.filled(
        load=load_of(host),
        ranks=ranks,
        rows=rows,
        ratios=ratios,
    )
    console().print(table(ratios))
    record.write(document)
    return OK


def table(ratios: list[SubmitRatio]) -> Table:
    """Each ratio of seconds with its interval."""
    made = Table("seconds to the first step", title="submit", title_justify="left")
    made.add_column("ratio", justify="right")
    made.add_column("95 % interval")
    for found in ratios:
        made.add_row(f"{found.way} : {found.to}", f"{found.ratio:.3f}", interval(found.low, found.high))
    return made
