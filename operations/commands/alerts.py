"""`make alerts`: what fires, since when, and what to do; silences; and a trial of the receivers.

Exit codes: 0 nothing fires that is not silenced, or what was asked is done; 1 something fires, a receiver did
not take the trial, or a service cannot be asked; 2 no engine answers, or the question is not a valid one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.markup import escape
from rich.table import Table

from components.monitoring import rules
from components.planning.config import StackConfig
from components.planning.issues import suggest
from components.planning.plan import make_plan
from operations.documents import Alert, Alerts, Silence, content
from operations.engine import alertmanager, alerts
from operations.engine.client import Engine, EngineError, connect
from operations.engine.services import running
from operations.errors import FAILED, OK, OperationError, RefusedError
from operations.output import ago, console
from operations.process import say

COLOURS = {"page": "red", "ticket": "yellow"}
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=30)


def main(
    stack: str,
    *,
    as_json: bool = False,
    test: bool = False,
    silence: str | None = None,
    for_: str | None = None,
    because: str | None = None,
    end: str | None = None,
) -> int:
    """Print the alerts of `stack`, or do what was asked; see the module for the exit code."""
    check(test=test, silence=silence, for_=for_, because=because, end=end)
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    if test or silence or end:
        running(engine, stack, "alerts", "telling people of alerts")
    if test:
        return _test(engine, stack)
    if silence:
        lasts = duration(for_ or "")
        number = alertmanager.silence(engine, stack, silence, lasts, because or "")
        say(f"{silence} is silent for {for_}; to end it before: make alerts END={number} STACK={stack}")
        return OK
    if end:
        return _end(engine, stack, end)
    return _list(engine, stack, as_json=as_json)


def check(*, test: bool, silence: str | None, for_: str | None, because: str | None, end: str | None) -> None:
    """Raises RefusedError with every mistake in what was asked. Pure."""
    mistakes = []
    if sum((test, silence is not None, end is not None)) > 1:
        mistakes.append("TEST, SILENCE and END exclude each other; fix: ask for one of them")
    if silence is None and (for_ is not None or because is not None):
        mistakes.append("FOR and BECAUSE belong to SILENCE; fix: name an alert, SILENCE=DiskAlmostFull")
    if silence is not None:
        known = [rule.name for rule in rules.rules(make_plan("dev", StackConfig()))]
        if silence not in known:
            fix = suggest(silence, known, f"alerts: {', '.join(known)}")
            mistakes.append(f"SILENCE: {silence!r:.60} is not an alert; fix: {fix}")
        try:
            duration(for_ or "")
        except ValueError as error:
            mistakes.append(f"FOR: {error}; fix: write minutes, hours or days up to 30d: FOR=2h")
        if not (because or "").strip() or len(because or "") > 500:
            mistakes.append(
                'BECAUSE: no reason, or one of more than 500 letters; fix: BECAUSE="disk is on order"'
            )
    if end is not None and not re.fullmatch(r"[0-9a-f-]{36}", end):
        mistakes.append(f"END: {end!r:.60} is not a silence; fix: `make alerts` lists them")
    if mistakes:
        raise RefusedError("\n".join(mistakes))


def duration(text: str) -> timedelta:
    """`90m`, `2h`, `3d`. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    lasts = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None
    if lasts is None or lasts > LONGEST:
        raise ValueError(f"{text!r:.20} is not a time" if lasts is None else f"{text} is too long")
    return lasts


def _test(engine: Engine, stack: str) -> int:
    taken = alertmanager.trial(engine, stack)
    if not taken:
        raise RefusedError(
            f"stack {stack} has no receiver of alerts\n    fix: declare monitoring.alerts.webhook or .email: "
            "docs/monitoring.md#delivery"
        )
    for receiver, took in taken.items():
        said = (
            "took the trial" if took else f"did not take the trial; make logs S=alerts STACK={stack} says why"
        )
        say(f"{receiver}: {said}")
    return OK if all(taken.values()) else FAILED


def _end(engine: Engine, stack: str, number: str) -> int:
    found = {one.identifier: one for one in alertmanager.silences(engine, stack)}
    if number not in found:
        raise RefusedError(
            f"END: there is no silence {number}\n    fix: make alerts STACK={stack} lists them"
        )
    alertmanager.end(engine, stack, number)
    say(f"{found[number].alert} is told again")
    return OK


def _list(engine: Engine, stack: str, *, as_json: bool) -> int:
    running(engine, stack, "metrics", "the monitoring")
    found = alerts.ask(engine, stack)
    if found is None:
        raise OperationError(
            "the metrics service gives no answer\n"
            f"    fix: make logs S=metrics STACK={stack}, then make restart S=metrics STACK={stack}"
        )
    running(engine, stack, "alerts", "telling people of alerts")
    silent = alertmanager.silences(engine, stack)
    if as_json:
        document = Alerts(schema="aidc.alerts/1", stack=stack, alerts=found, silences=silent)
        say(json.dumps(content(document), indent=2))
    else:
        if found:
            console().print(table(stack, found, silent))
        else:
            say(f"no alert fires in stack {stack}")
        if silent:
            console().print(silent_table(silent))
    names = {one.alert for one in silent}
    return FAILED if any(a.state == "firing" and a.name not in names for a in found) else OK


def table(stack: str, found: Sequence[Alert], silent: Sequence[Silence] = ()) -> Table:
    """A row for each alert; `pending` ones have not held for long enough yet."""
    columns = ("alert", "state", "since", "what", "what to do")
    made = Table(*columns, title=f"stack {stack}", title_justify="left")
    names = {one.alert for one in silent}
    for alert in found:
        since = ago(datetime.fromisoformat(alert.since)) if alert.since else "-"
        name = f"[{COLOURS[alert.severity]}]{alert.name}[/]"
        state = f"{alert.state}, silent" if alert.name in names else alert.state
        made.add_row(name, state, since, escape(alert.summary), alert.runbook)
    return made


def silent_table(silent: Sequence[Silence]) -> Table:
    """Which alerts nobody is told of, until when, and why."""
    made = Table("silent", "until", "because", "by", "END=", title="silences", title_justify="left")
    for one in silent:
        until = one.until[:16].replace("T", " ")
        made.add_row(*map(escape, (one.alert, until, one.because, one.by, one.identifier)))
    return made
