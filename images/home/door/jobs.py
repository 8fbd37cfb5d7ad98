"""How many jobs there are now, by the metrics: for their names Ray wants a token. Pure."""

from __future__ import annotations

from operations.output import count

from .figures import read
from .source import Answer


def now(answer: Answer) -> str:
    """A sentence; empty where the metrics do not say."""
    try:
        figures = read(answer.text or "") if not answer.fault else None
    except ValueError:
        return ""
    jobs, groups, age = (
        figures.one(what) if figures else None for what in ("jobs", "jobs-waiting", "jobs-age")
    )
    if jobs is None or age is None:
        return ""
    if not jobs:
        words = "No job runs or waits now"
    elif not groups:
        words = f"{count(int(jobs), 'job')} {'runs' if jobs == 1 else 'run'} now"
    else:
        waits = f"{count(int(groups), 'group')} of ranks {'waits' if groups == 1 else 'wait'} for room"
        words = f"{count(int(jobs), 'job')} now, of which {waits}"
    return f"{words}, as Ray counted {age:.0f} s ago."
