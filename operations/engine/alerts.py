"""What the stack's alerts say now, asked of vmalert in the container of the metrics service."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from components.monitoring.scrape import ALERTS
from components.planning.receivers import ALIVE
from operations.documents import Alert
from operations.engine.client import Engine

ASK = ["curl", "--silent", "--fail", "--max-time", "5", f"http://127.0.0.1:{ALERTS}/api/v1/rules"]
# What a person must act on at once comes first.
ORDER = ("page", "ticket")


def ask(engine: Engine, stack: str) -> list[Alert] | None:
    """Alerts that fire or are about to; None when the metrics service cannot tell."""
    return read(engine.output(f"aidc-{stack}-metrics", ASK) or "")


def read(told: str) -> list[Alert] | None:
    """vmalert's answer as alerts, the urgent ones first; None for anything else. Pure.

    A rule that cannot be evaluated says nothing of what it watches, so it is an alert of its own.
    """
    try:
        rules = [rule for group in json.loads(told)["data"]["groups"] for rule in group["rules"]]
        # The sign of life always fires: it is no fault.
        rules = [rule for rule in rules if rule["name"] != ALIVE]
        found = [alert for rule in rules for alert in _of(rule)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return sorted(found, key=lambda alert: (alert.state != "firing", ORDER.index(alert.severity), alert.name))


def _of(rule: dict[str, Any]) -> Iterable[Alert]:
    name, notes = str(rule["name"]), rule["annotations"]
    severity: Literal["page", "ticket"] = "page" if rule["labels"]["severity"] == "page" else "ticket"
    if rule["health"] == "err":
        why = f"the rule cannot be evaluated: {rule.get('lastError') or 'no reason given'}"
        yield Alert(
            name=name, state="firing", severity=severity, since=None, summary=why, runbook=notes["runbook"]
        )
    for one in rule.get("alerts") or ():
        if one["state"] in ("firing", "pending"):
            yield Alert(
                name=name,
                state=one["state"],
                severity=severity,
                since=one["activeAt"],
                summary=one["annotations"]["summary"],
                runbook=one["annotations"]["runbook"],
            )
