"""Test the GPUs of this machine before a stack is built on them; needs images, no stack.

Checks the driver, that the engine gives the same GPUs to a container, a matrix product on each, an all-reduce
over all, a minute of training on all of them at once, power, temperature and memory errors. Prints one table
with the next step for each fault, and writes `<out>/accept.json` (aidc.accept/1).

Exit codes: 0 every check passed; 1 one failed; 2 there is nothing to test: no GPU, no engine or no image.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from operations.accepting import host, judge, trial
from operations.accepting.judge import Row
from operations.documents import Acceptance, AcceptanceRow
from operations.engine.client import Engine, connect
from operations.errors import FAILED, OK, RefusedError
from operations.measuring.record import Record
from operations.output import console, count
from operations.preflight import checks
from operations.preflight.requirements import GPU_HOOK, images
from operations.process import say

COLOURS = {"pass": "green", "fail": "red", "skipped": "dim"}


def main(stack: str, seconds: float = 60.0, out: Path | None = None) -> int:
    """Test, print the table, write the record. Raises RefusedError and OperationError."""
    engine, record = connect(), Record(Acceptance, stack, out)
    if not engine.is_local:
        raise RefusedError("the engine is on another machine\n    fix: run `make accept` there")
    found = host.read()
    if not (found.gpus or found.on_bus or found.driver):
        raise RefusedError(
            "this machine has no NVIDIA GPU\n    fix: none is needed: leave `gpus` out of compute.nodes"
        )
    numbers = tuple(gpu.index for gpu in found.gpus)
    rows = judge.of_host(found, _runtime(engine, numbers))
    if not judge.failed(rows):
        say(f"{count(len(found.gpus), 'GPU')} at work for {seconds:g} s, and a minute or two around it …")
        said, fault = trial.run(engine, images()["compute"], stack, numbers, seconds)
        rows += judge.of_trial(found, said, fault)
    console().print(table(rows))
    document = record.filled(
        gpus=[f"{gpu.uuid} {gpu.name}" for gpu in found.gpus],
        passed=not judge.failed(rows),
        checks=[AcceptanceRow(check=r.check, verdict=r.verdict, found=r.found, fix=r.fix) for r in rows],
    )
    record.write(document)
    return FAILED if judge.failed(rows) else OK


def _runtime(engine: Engine, numbers: Sequence[int]) -> Row:
    # Without a GPU that the driver lists there is still a runtime, or none.
    check = checks.gpu_runtime(numbers or (0,), engine.info(), shutil.which(GPU_HOOK) is not None)
    if check.issues:
        return Row("runtime", "fail", check.issues[0].fault, check.issues[0].fix)
    return Row("runtime", "pass", check.note)


def table(rows: Sequence[Row]) -> Table:
    made = Table("check", "verdict", "found", "next step", title="GPUs of this machine", title_justify="left")
    for row in rows:
        verdict = f"[{COLOURS[row.verdict]}]{row.verdict}[/]"
        made.add_row(row.check, verdict, escape(row.found), escape(row.fix))
    return made
