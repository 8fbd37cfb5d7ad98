"""List the jobs: name, id, state, age, and what a job that has not begun waits for.

Exit codes: 0 listed; 1 the stack is not up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmark.jobs.ranks import GROUP
from operations.errors import OK
from operations.jobs import capacity, following, request, session
from operations.output import console
from operations.process import say


def main(stack: str, as_json: bool = False) -> int:
    opened = session.connect(stack)
    with session.reporting():
        jobs = sorted(opened.ray.jobs(), key=lambda job: -int(job.get("start_time") or 0))
        rows = rows_of(jobs, opened.ray.state("placement_groups"), opened.nodes())
    if as_json:
        say(json.dumps(rows, indent=1))
    elif rows:
        console().print(table(rows, f"stack {stack}"))
    else:
        say("no jobs yet; `make submit SCRIPT=train.py` runs one")
    return OK


def rows_of(
    jobs: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]], nodes: Sequence[capacity.Node]
) -> list[dict[str, str]]:
    """One for each job that was submitted, in the given order."""
    pending = {
        str(group.get("name")) for group in groups if group.get("state") in ("PENDING", "RESCHEDULING")
    }
    rows = []
    for job in jobs:
        if job.get("type") != "SUBMISSION":
            continue
        name, state = request.name_of(job), str(job.get("status"))
        waits = state == "PENDING" or (state == "RUNNING" and f"{GROUP}{name}" in pending)
        asked = request.asked_of(job.get("metadata"))
        rows.append(
            {
                "name": name,
                "id": str(job.get("submission_id")),
                "state": "waiting" if waits else state.lower(),
                "ranks": str(asked[0]) if asked else "",
                "each": str(asked[1]) if asked else "",
                "age": session.age(job),
                "packages": str((job.get("metadata") or {}).get(request.PACKAGES_KEY, ""))[:12],
                "waits for": following.waits_of(job, nodes) if waits else "",
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, str]], title: str) -> Table:
    made = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        made.add_row(*row.values())
    return made
