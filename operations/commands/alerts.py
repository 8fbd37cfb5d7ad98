"""`make alerts`: what fires, since when, and what to do.

Exit codes: 0 nothing fires; 1 something does, or the metrics service cannot be asked; 2 no engine answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from operations.documents import Alert, Alerts, content
from operations.engine import alerts
from operations.engine.client import EngineError, connect
from operations.engine.services import running
from operations.errors import FAILED, OK, OperationError, RefusedError
from operations.output import ago, console
from operations.process import say

COLOURS = {"page": "red", "ticket": "yellow"}


def main(stack: str, *, as_json: bool) -> int:
    """Print the alerts of `stack`; see the module for the exit code."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    running(engine, stack, "metrics", "the monitoring")
    found = alerts.ask(engine, stack)
    if found is None:
        raise OperationError(
            "the metrics service gives no answer\n"
            f"    fix: make logs S=metrics STACK={stack}, then make restart S=metrics STACK={stack}"
        )
    if as_json:
        say(json.dumps(content(Alerts(schema="aidc.alerts/1", stack=stack, alerts=found)), indent=2))
    elif found:
        console().print(table(stack, found))
    else:
        say(f"no alert fires in stack {stack}")
    return FAILED if any(alert.state == "firing" for alert in found) else OK


def table(stack: str, found: Sequence[Alert]) -> Table:
    """A row for each alert; `pending` ones have not held for long enough yet."""
    columns = ("alert", "state", "since", "what", "what to do")
    made = Table(*columns, title=f"stack {stack}", title_justify="left")
    for alert in found:
        since = ago(datetime.fromisoformat(alert.since)) if alert.since else "-"
        name = f"[{COLOURS[alert.severity]}]{alert.name}[/]"
        made.add_row(name, alert.state, since, escape(alert.summary), alert.runbook)
    return made
