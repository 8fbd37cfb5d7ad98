"""Which snapshots go: pure, and by the time at which the vault received them.

The time that a snapshot names is its writer's word. A writer that was broken into could name any: enough of
them in the future, or one in each hour of the past, and a rule that goes by those times would throw the good
ones away. When a file came to the vault's disk no writer can choose, so here only that counts. What names
another time than that is kept, counts for nothing and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# A snapshot names the start of its run and arrives at its end.
LONGEST_RUN = timedelta(days=2)
CLOCKS = timedelta(minutes=10)
PERIODS: Mapping[str, Callable[[datetime], object]] = {
    "hourly": lambda moment: (moment.date(), moment.hour),
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
}


@dataclass(frozen=True)
class Snapshot:
    """`named` is the time that its writer gave it, `arrived` when the vault's disk got it; both UTC.

    `job` is empty for one of an earlier release, which had a single job.
    """

    name: str
    named: datetime
    arrived: datetime
    complete: bool = True
    job: str = ""

    @property
    def plausible(self) -> bool:
        return self.arrived - LONGEST_RUN <= self.named <= self.arrived + CLOCKS


@dataclass(frozen=True)
class Decision:
    """Names of snapshots; `odd` ones name a time that cannot be theirs, and are kept."""

    keep: frozenset[str]
    forget: frozenset[str]
    odd: frozenset[str]


# The job that saves what the single one of earlier releases did.
SUCCESSOR = "everything"


def decide_each(
    snapshots: Iterable[Snapshot], retention: Mapping[str, int], jobs: Mapping[str, Mapping[str, int]]
) -> Decision:
    """Judge each job's snapshots by its own retention: no job's count for another.

    Those of a job that is declared no more are kept by `retention`; so are those of an earlier release,
    unless a job goes on with them.
    """
    series: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        name = snapshot.job or (SUCCESSOR if SUCCESSOR in jobs else "")
        series.setdefault(name, []).append(snapshot)
    decisions = [decide(found, jobs.get(name, retention)) for name, found in series.items()]
    return Decision(
        frozenset().union(*(d.keep for d in decisions)),
        frozenset().union(*(d.forget for d in decisions)),
        frozenset().union(*(d.odd for d in decisions)),
    )


def decide(snapshots: Iterable[Snapshot], retention: Mapping[str, int]) -> Decision:
    """Of each of the last N hours, days, weeks and months that have one, the newest snapshot stays.

    A complete one goes before a partial one. The newest of all and the newest complete one always stay.
    """
    everything = list(snapshots)
    odd = {s.name for s in everything if not s.plausible}
    known = sorted((s for s in everything if s.plausible), key=lambda s: (s.arrived, s.name), reverse=True)
    keep = {s.name for s in known[:1]} | {s.name for s in [s for s in known if s.complete][:1]}
    for period, of in PERIODS.items():
        best: dict[object, Snapshot] = {}
        for snapshot in known:
            held = best.setdefault(of(snapshot.arrived), snapshot)
            if snapshot.complete and not held.complete:
                best[of(snapshot.arrived)] = snapshot
        keep |= {snapshot.name for snapshot in list(best.values())[: retention[period]]}
    forget = {s.name for s in known} - keep
    return Decision(frozenset(keep), frozenset(forget), frozenset(odd))
