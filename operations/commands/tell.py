"""Tell the front door what only this clone knows: the newest audit and benchmark, the checks of the nodes.

Their pages, `report.html` and `audit.html`, are handed over where they are newer than those it has. `make
bench` and `make report` do it at their end; `make status`, `open`, `audit` and `node` tell what they find.

Exit codes: 0 it was told; 1 the front door does not run, or did not take it; 2 no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from operations.engine.client import EngineError, connect
from operations.errors import FAILED, OK, RefusedError
from operations.nodes import check, record
from operations.overview import telling
from operations.process import say


def main(stack: str, *, out: Path | None = None) -> int:
    """Raises RefusedError."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    folder = out or record.folder(stack)
    if telling.tell(engine, stack, telling.of_clone(folder, check.containers(engine, stack)), folder):
        say("the front door knows of the newest audit and benchmark")
        return OK
    say("the front door was not told: it does not run; `make status` does it when it does")
    return FAILED
