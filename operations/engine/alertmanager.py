"""Silences and trials of the stack's alerts, asked of Alertmanager in its own container."""

from __future__ import annotations

import getpass
import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from components.alerting.settings import OF_TRIAL, TRIAL
from operations.documents import Silence
from operations.engine.client import Engine
from operations.errors import OperationError
from operations.polling import poll

# Seconds for which Alertmanager tries a receiver of a trial, and what a busy machine adds.
TRIED_WITHIN = 40.0
# Counters of its attempts: all, those that failed, and messages that were given up.
TRIES = "alertmanager_notification_requests_total"
FAILURES = "alertmanager_notification_requests_failed_total"
GIVEN_UP = "alertmanager_notifications_failed_total"
SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)")


def ask(engine: Engine, stack: str, method: str, path: str, body: object = None) -> str:
    """The answer. Raises OperationError when there is none, or it refuses."""
    container = f"aidc-{stack}-alerts"
    said = [json.dumps(body)] if body is not None else []
    code, text = engine.run(container, ["ask-alerts", method, path, *said])
    if code != 0:
        raise OperationError(
            f"the service alerts does not do that (curl {code})\n"
            f"    fix: make logs S=alerts STACK={stack}, then make restart S=alerts STACK={stack}"
        )
    return text


def silences(engine: Engine, stack: str) -> list[Silence]:
    """Those in force, the one that ends first at the top. Raises OperationError."""
    return read(ask(engine, stack, "GET", "/api/v2/silences"))


def read(told: str) -> list[Silence]:
    """Alertmanager's answer as silences of single alerts that are in force. Pure. Raises OperationError."""
    try:
        found = [_silence(raw) for raw in json.loads(told) if raw["status"]["state"] == "active"]
    except (ValueError, LookupError, TypeError) as error:
        raise OperationError(f"the service alerts gives an answer of another kind ({error})") from None
    return sorted(found, key=lambda silence: silence.until)


def _silence(raw: Mapping[str, Any]) -> Silence:
    names = [m["value"] for m in raw["matchers"] if m["name"] == "alertname" and not m["isRegex"]]
    alone = len(raw["matchers"]) == 1 and names
    return Silence(
        identifier=raw["id"],
        alert=names[0] if alone else "(several)",
        until=raw["endsAt"],
        because=raw["comment"],
        by=raw["createdBy"],
    )


def silence(engine: Engine, stack: str, alert: str, for_: timedelta, because: str) -> str:
    """The identifier of a new silence. Raises OperationError."""
    now = datetime.now(UTC)
    body = {
        "matchers": [{"name": "alertname", "value": alert, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + for_).isoformat(),
        "createdBy": getpass.getuser(),
        "comment": because,
    }
    return str(json.loads(ask(engine, stack, "POST", "/api/v2/silences", body))["silenceID"])


def end(engine: Engine, stack: str, identifier: str) -> None:
    """End a silence before its time. Raises OperationError."""
    ask(engine, stack, "DELETE", f"/api/v2/silence/{identifier}")


def trial(engine: Engine, stack: str) -> dict[str, bool]:
    """Tell every receiver of an alert that is none: receiver → whether it took it; empty: there is none."""
    before = counters(ask(engine, stack, "GET", "/metrics"))
    if not before:
        return {}
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": TRIAL, "number": secrets.token_hex(4), "severity": "ticket", "stack": stack},
        "annotations": {
            "summary": "a trial, started by hand: nothing is wrong",
            "runbook": "docs/monitoring.md#delivery",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=1)).isoformat(),
    }
    ask(engine, stack, "POST", "/api/v2/alerts", [alert])

    def outcome() -> dict[str, bool | None]:
        return judge(before, counters(ask(engine, stack, "GET", "/metrics")))

    seen = poll(outcome, TRIED_WITHIN, until=lambda found: None not in found.values())
    return {receiver: bool(taken) for receiver, taken in seen.items()}


def counters(told: str) -> dict[str, dict[str, float]]:
    """Receiver of a trial → its counters. Pure."""
    found: dict[str, dict[str, float]] = {}
    for line in told.splitlines():
        sample = SAMPLE.fullmatch(line)
        labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) if sample else {}
        if (
            sample
            and labels.get("receiver_name") == OF_TRIAL
            and sample["name"] in (TRIES, FAILURES, GIVEN_UP)
        ):
            of = found.setdefault(labels["integration"], {})
            of[sample["name"]] = of.get(sample["name"], 0.0) + float(sample["value"])
    return found


def judge(
    before: Mapping[str, Mapping[str, float]], now: Mapping[str, Mapping[str, float]]
) -> dict[str, bool | None]:
    """Receiver → whether it took what came between; None: not known yet. Pure."""

    def grown(receiver: str, name: str) -> float:
        return now.get(receiver, {}).get(name, 0.0) - before[receiver].get(name, 0.0)

    return {
        receiver: True
        if grown(receiver, TRIES) > grown(receiver, FAILURES)
        else (False if grown(receiver, GIVEN_UP) > 0 else None)
        for receiver in before
    }
