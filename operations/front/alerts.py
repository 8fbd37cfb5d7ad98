"""vmalert's answer as alerts. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from operations.documents import Alert

# What a person must act on at once comes first.
ORDER = ("page", "ticket")
# The sign of life (components/planning/receivers.py) always fires: it is no fault.
ALIVE = "Watchdog"


def read(told: str) -> list[Alert] | None:
    """vmalert's answer as alerts, the urgent ones first; None for anything else.

    A rule that cannot be evaluated says nothing of what it watches, so it is an alert of its own.
    """
    try:
        rules = [rule for group in json.loads(told)["data"]["groups"] for rule in group["rules"]]
        found = [alert for rule in rules if rule["name"] != ALIVE for alert in _of(rule)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
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
