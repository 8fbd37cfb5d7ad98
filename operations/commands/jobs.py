"""List the jobs: each run of each name, its id, state, age, and what a job that has not begun waits for.

`demo@1` is the first run of the job `demo`; `aidc logs --job` and `aidc stop` take it.

Exit codes: 0 listed; 1 the stack is not up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from operations.errors import OK
from operations.jobs import listing, request, session
from operations.output import console
from operations.overview import telling
from operations.process import say


def main(stack: str, as_json: bool = False) -> int:
    opened = session.connect(stack)
    with session.reporting():
        jobs = request.newest_first(opened.ray.jobs())
        rows = listing.rows_of(jobs, opened.ray.state("placement_groups"), opened.nodes())
    telling.tell_jobs(stack, opened)
    if as_json:
        say(json.dumps(rows, indent=1))
    elif rows:
        console().print(table(rows, f"stack {stack}"))
    else:
        say("no jobs yet; `make submit SCRIPT=train.py` runs one")
    return OK


def table(rows: Sequence[Mapping[str, str]], title: str) -> Table:
    """The name is left out: the run begins with it."""
    columns = [column for column in rows[0] if column != "name"]
    made = Table(*columns, title=title, title_justify="left")
    for row in rows:
        made.add_row(*(escape(row[column]) for column in columns))
    return made
