"""Open the front door: the page at the load balancer that shows how the stack is doing.

Its address is printed, and opened where there is a browser; it is told what only this clone knows: the newest
audit and benchmark with their pages, checks of nodes, jobs. With `--out`, or where the stack has no such page
or it does not answer, the same page is written as `home.html` into that folder or `out/<stack>`, beside the
report and the audit, which it links.

Exit codes: 0 opened or written; 2 no engine answers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from components.planning.monitoring import VIEWER
from operations.browser import browse
from operations.engine.client import EngineError, connect
from operations.errors import OK, RefusedError
from operations.front import page
from operations.nodes.record import folder
from operations.overview import telling
from operations.overview.looking import Looker
from operations.process import say


def main(stack: str, *, out: Path | None = None) -> int:
    """Raises RefusedError."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    place = out or folder(stack)
    place.mkdir(parents=True, exist_ok=True)
    found = Looker(engine, stack).look()
    path = place / page.NAME
    inside = found.endpoints.get("home")
    if (
        inside
        and telling.tell(engine, stack, telling.of_status(found, datetime.now(UTC)), folder(stack))
        and not out
    ):
        say(f"{inside}/  user {VIEWER}, password: python -m operations access --stack {stack}")
        browse(inside)
        return OK
    beside = {file.name: "" for file in place.iterdir()}
    path.write_text(page.render(found, datetime.now(UTC), beside), "utf-8")
    say(f"{path.resolve().as_uri()}")
    return OK
