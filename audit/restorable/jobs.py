"""Whether every backup job ended well and in time, and whether everything is saved by one.

Effects: asks the backup's service what became of its newest runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from audit.context import Context
from audit.engine import inside
from audit.verdicts import Row, not_checked, plural

ENDED, SAVED = "every backup job ended in time", "everything is saved by a backup job"
ROLE = "backup"


def rows(context: Context) -> tuple[Row, ...]:
    """What the service says of its jobs."""
    found = next((s.container for s in context.services if s.role == ROLE), None)
    if found is None:
        return (not_checked(ENDED, "no backup service runs", f"make up STACK={context.stack}"),)
    text = inside.output(context.client, found, ["backup", "status"])
    try:
        return tuple(judged(context.stack, dict(json.loads(text or ""))))
    except (ValueError, KeyError, TypeError):
        return (not_checked(ENDED, f"{found} does not say what became of its jobs"),)


def judged(stack: str, told: Mapping[str, Any]) -> Iterator[Row]:
    """One that failed or is late is a fault; a partial one has saved all that could be read, and is named."""
    bad = {name: job for name, job in told["jobs"].items() if job["state"] != "ok"}
    texts = "; ".join(f"{name}: {job['text']}" for name, job in bad.items())
    if not bad:
        yield Row(ENDED, "pass", plural(len(told["jobs"]), "job"))
    else:
        mild = {job["state"] for job in bad.values()} <= {"partial", "running"}
        fix = f"make backup STACK={stack} JOB={next(iter(bad))}, docs/backup.md"
        yield Row(ENDED, "warn" if mild else "fail", texts, fix)
    if left_out := told["unsaved"]:
        fix = "add it to the sources of a job in backup.jobs"
        yield Row(SAVED, "warn", f"no job saves {', '.join(left_out)}", fix)
    else:
        yield Row(SAVED, "pass", "buckets, databases with their log, and the configuration")
