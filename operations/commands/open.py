"""Open the front door: the page at the load balancer that shows how the stack is doing.

Its address is printed, and opened where there is a browser; it is told what only this clone knows, such as
the newest audit. With `--out`, or where the stack has no such page or it does not answer, the same page is
written as `home.html` into that folder or `out/<stack>`, beside the report and the audit, which it links.

Exit codes: 0 opened or written; 2 no engine answers.
"""

from __future__ import annotations

import os
import sys
import webbrowser
from datetime import UTC, datetime
from pathlib import Path

from components.planning.monitoring import VIEWER
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
    if inside and telling.tell(engine, stack, telling.of_status(found, datetime.now(UTC))) and not out:
        say(f"{inside}/  user {VIEWER}, password: python -m operations access --stack {stack}")
        browse(inside)
        return OK
    path.write_text(page.render(found, datetime.now(UTC), {file.name for file in place.iterdir()}), "utf-8")
    say(f"{path.resolve().as_uri()}")
    return OK


def browse(url: str) -> None:
    """Show `url` where there is a screen; a browser in a terminal would take it over."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        webbrowser.open(url)
