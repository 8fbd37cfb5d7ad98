"""The part `restorable`: what became of the backup jobs, and of the newest drill.

Effects: asks both services what they have found; restores nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from audit.context import Context
from audit.engine import inside
from audit.records import Restorable
from audit.restorable import jobs
from audit.verdicts import Part, Row, not_checked

NAME = "the newest backup was restored for trial"
ROLE = "drill"


def check(context: Context) -> Part:
    """What the services say of their newest runs."""
    saved = jobs.rows(context)
    found = next((s.container for s in context.services if s.role == ROLE), None)
    if found is None:
        return Part((*saved, not_checked(NAME, "no drill service runs", f"make up STACK={context.stack}")))
    text = inside.output(context.client, found, ["backup", "trial-status"])
    try:
        told = dict(json.loads(text or ""))
        return Part((*saved, row(context.stack, found, told)), record(told))
    except (ValueError, KeyError, TypeError):
        return Part((*saved, not_checked(NAME, f"{found} does not say what it has found")))


def row(stack: str, container: str, told: Mapping[str, Any]) -> Row:
    """A drill that is not due yet is no fault; one that failed or did not come is."""
    again = f"docker exec {container} backup trial; if it fails: make backup, make drill STACK={stack}"
    if told["state"] == "waiting":
        return Row(NAME, "warn", told["text"], f"docker exec {container} backup trial")
    return Row(NAME, "pass" if told["state"] == "passed" else "fail", told["text"], again)


def record(told: Mapping[str, Any]) -> Restorable:
    """For the document."""
    run = told.get("run") or {}
    return Restorable(
        state=told["state"],
        finished=run.get("finished"),
        snapshot=run.get("objects", {}).get("snapshot"),
        seconds=run.get("seconds"),
    )
