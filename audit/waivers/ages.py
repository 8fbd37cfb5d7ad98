"""The age of each waiver, and how long it still lasts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from audit.records import WaiverRecord
from audit.verdicts import Row, judged, plural
from components.planning.issues import Issue
from policies.settings.waivers import Waiver

# Days in which a waiver should be renewed, or its cause repaired.
SOON = 14
NAME = "waivers are in force and needed"


@dataclass(frozen=True)
class Aged:
    """A waiver in whole days. `left` is negative once it has expired; `age` is None if git does not know."""

    waiver: Waiver
    left: int
    age: int | None


def aged(waivers: Sequence[Waiver], since: Mapping[int, date], today: date) -> list[Aged]:
    """`since`: line of the file → the day on which it was written."""
    made = []
    for waiver in waivers:
        line = int(waiver.place.rpartition(":")[2])
        written = since.get(line)
        made.append(Aged(waiver, (waiver.expires - today).days, (today - written).days if written else None))
    return made


def rows(found: Sequence[Aged], issues: Sequence[Issue]) -> list[Row]:
    """`issues`: what the policies say of expired and unused waivers."""
    expired = [w for w in found if w.left < 0]
    places = {w.waiver.place for w in expired}
    bad = [f"{_name(w)} expired {plural(-w.left, 'day')} ago" for w in expired]
    bad += [issue.sentence for issue in issues if issue.place not in places]
    soon = [f"{_name(w)} in {plural(w.left, 'day')}" for w in found if 0 <= w.left < SOON]
    fix = "repair the cause, or have the owner renew it in policies/waivers.yaml"
    if soon and not bad:
        return [Row(NAME, "warn", f"{plural(len(soon), 'waiver')} will expire: {'; '.join(soon)}", fix)]
    least = f", the next ends in {plural(min(w.left for w in found), 'day')}" if found else ""
    good = f"{plural(len(found), 'waiver')}{least}"
    return [judged(NAME, bad, good, f"{len(bad)} faulty", fix)]


def records(found: Sequence[Aged]) -> list[WaiverRecord]:
    return [
        WaiverRecord(
            rule=w.waiver.rule,
            resource=w.waiver.resource,
            reason=w.waiver.reason,
            owner=w.waiver.owner,
            expires=w.waiver.expires,
            days_left=w.left,
            age_days=w.age,
        )
        for w in found
    ]


def _name(aged_: Aged) -> str:
    return f"{aged_.waiver.rule} for {aged_.waiver.resource}"


def dates(blame: str) -> dict[int, date]:
    """Line → day, from `git blame --line-porcelain`; lines that are not committed yet have none."""
    found: dict[int, date] = {}
    line, commit = 0, ""
    for text in blame.splitlines():
        if match := re.fullmatch(r"([0-9a-f]{40}) \d+ (\d+)(?: \d+)?", text):
            commit, line = match[1], int(match[2])
        elif text.startswith("author-time ") and set(commit) != {"0"}:
            found[line] = datetime.fromtimestamp(int(text.split()[1]), UTC).date()
    return found
