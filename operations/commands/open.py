"""Write what `make status` says as a page for a browser, and print where it is.

The page is `home.html` in `out/<stack>`, beside the report and the audit, which it links; it shows one look
and is written anew by each call. It holds no secret and no script, and asks nothing of anybody.

Exit codes: 0 written; 2 no engine answers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from operations.engine.client import EngineError, connect
from operations.errors import OK, RefusedError
from operations.front import page
from operations.nodes.record import folder
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
    path.write_text(page.render(found, datetime.now(UTC), {file.name for file in place.iterdir()}), "utf-8")
    say(f"{path.resolve().as_uri()}")
    return OK
