"""`make status`: what an operator asks first, in one look.

The health of every service, the endpoints, what runs and what waits, the newest backup, drill, audit and
benchmark, the verdict on each compute node, what the firewall refused, and the disk. Audit, benchmark and
verdicts on nodes are those that were made in this clone. `--json` prints the same as a document
(docs/schemas/status.json). `--watch` looks again every few seconds until Ctrl-C: on a terminal it draws what
has changed, elsewhere it prints a line for each change; with `--json`, one document a line.

Exit codes: 0 every service is healthy; 1 a service is not healthy, or the stack is not up; 2 no engine
answers. With `--watch`, those of the last look.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

from operations.documents import content
from operations.engine.client import EngineError, connect
from operations.errors import FAILED, OK, RefusedError
from operations.nodes.record import folder
from operations.output import console
from operations.overview import page, telling, watching
from operations.overview.looking import Looker
from operations.process import say
from operations.stack.file import read
from operations.status_document import Status


def main(stack: str, *, as_json: bool = False, watch: bool = False) -> int:
    """Print the status of `stack`; see the module for the exit code."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    looker = Looker(engine, stack)
    if watch:
        found = None
        with suppress(BrokenPipeError):
            found = watching.watch(looker.look, show, as_json, sys.stdout)
            sys.stdout.flush()
        # A look that is under way would be waited for, and changes nothing.
        os._exit(OK if found and found.healthy else FAILED)
    else:
        found = looker.look()
        if found.endpoints.get("home"):
            telling.tell(engine, stack, telling.of_status(found, datetime.now(UTC)), folder(stack))
        if as_json:
            say(json.dumps(content(found), indent=2))
        else:
            show(found)
    return OK if found and found.healthy else FAILED


def show(found: Status) -> None:
    if not found.services:
        say(why_nothing(found))
        return
    console().print(page.services(found.stack, found.services))
    for line in page.lines(found):
        say(line)


def why_nothing(found: Status) -> str:
    """What to say where no container of the stack exists."""
    file = read(found.stack)
    if not file.path.is_file():
        return str(file.issues[0])
    return f"stack {found.stack} is not up; {found.remark or f'fix: `make up STACK={found.stack}`'}"
