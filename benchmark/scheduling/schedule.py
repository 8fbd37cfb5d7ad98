"""When to start a run: in the cheapest slot of a window. Pure: the time now is an argument.

The run must begin and end within the window, provided that its expected duration is right. Cost is the
mean of the series over the run, each slot by its overlap: the power that the run will draw is not known
beforehand, so no total is claimed. Of equally cheap starts the earliest is taken.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import islice, takewhile
from typing import Any

from benchmark.core.errors import ConfigError
from benchmark.scheduling.series import Series, Slot

HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
DAY = timedelta(days=1)
TABLE_ROWS = 24


@dataclass(frozen=True)
class Span:
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Window:
    """Hours of every day (UTC, `end` before `start` crosses midnight), or one `span` of time."""

    text: str
    hours: tuple[timedelta, timedelta] | None = None
    span: Span | None = None


@dataclass(frozen=True)
class Plan:
    """`mean`, `mean_now`: of the series over the run, in its unit; None where the series does not reach.
    `starts`: all starts that were considered, in order."""

    start: datetime
    now: datetime
    duration: timedelta
    window: Window | None = None
    series: Series | None = None
    mean: Fraction | None = None
    mean_now: Fraction | None = None
    starts: tuple[tuple[datetime, Fraction], ...] = ()


def parse_window(text: str) -> Window:
    """`22:00-06:00` (UTC) or `2026-11-25T22:00Z/2026-11-26T06:00Z`; ConfigError."""
    match = HOURS.fullmatch(text.strip())
    if match:
        h0, m0, h1, m1 = (int(part) for part in match.groups())
        start, end = timedelta(hours=h0, minutes=m0), timedelta(hours=h1, minutes=m1)
        if max(m0, m1) > 59 or start >= DAY or end > DAY:
            raise ConfigError([f"--window: {text!r}: hours go from 00:00 to 24:00"])
        if start == end:
            raise ConfigError([f"--window: {text!r} is empty; for any time of day write 00:00-24:00"])
        return Window(text.strip(), hours=(start, end))
    try:
        first, last = (datetime.fromisoformat(part.strip()) for part in text.split("/"))
        if not all(2000 <= time.year < 3000 for time in (first, last)):
            raise ValueError
    except ValueError:
        raise ConfigError(
            [f"--window: {text!r}: write hours in UTC, 22:00-06:00, or two times, START/END, in ISO 8601"]
        ) from None
    if first.tzinfo is None or last.tzinfo is None:
        raise ConfigError(
            [f"--window: {text!r}: a time zone is missing; write for example 2026-11-25T22:00Z"]
        )
    if first >= last:
        raise ConfigError([f"--window: {text!r}: ends before it starts"])
    return Window(text.strip(), span=Span(first.astimezone(UTC), last.astimezone(UTC)))


def choose(
    now: datetime, duration: timedelta, window: Window | None = None, series: Series | None = None
) -> Plan:
    """The cheapest start at or after `now`; ConfigError with all reasons why there is none.

    Without a series the earliest start in the window; without a window any time of the series.
    """
    now = now.astimezone(UTC)
    if duration <= timedelta(0):
        raise ConfigError(["--expected-duration: must be above 0 seconds"])
    if window:
        opening = _opening(now, duration, window)
    else:
        opening = Span(now, series.end if series else now + duration)
    if series is None:
        return Plan(opening.start, now, duration, window)
    span = Span(max(opening.start, series.start), min(opening.end, series.end))
    if span.start + duration > span.end:
        raise ConfigError([
            f"{series.name}: covers {show(series.start)} to {show(series.end)}, which overlaps the time from "
            f"{show(opening.start)} to {show(opening.end)} by less than {duration} (--expected-duration): "
            "give a series that covers it"
        ])  # fmt: skip
    starts = [(start, mean(series.slots, start, duration)) for start in _turns(series, span, duration)]
    start, cheapest = min(starts, key=lambda pair: (pair[1], pair[0]))
    covered = series.start <= now and now + duration <= series.end
    return Plan(start, now, duration, window, series, mean=cheapest, starts=tuple(starts),
                mean_now=mean(series.slots, now, duration) if covered else None)  # fmt: skip


def mean(slots: Sequence[Slot], start: datetime, duration: timedelta) -> Fraction:
    """Mean of the slots' values over the run, weighted by overlap; the slots must cover the run."""
    end, total = start + duration, Fraction(0)
    first = bisect_right(slots, start, key=lambda slot: slot.end)
    for slot in takewhile(lambda slot: slot.start < end, islice(slots, first, None)):
        total += slot.value * _microseconds(min(end, slot.end) - max(start, slot.start))
    return total / _microseconds(duration)


def _turns(series: Series, span: Span, duration: timedelta) -> list[datetime]:
    """The starts to consider: between two of them the cost is linear, so its minimum is at one of them.
    The slope changes where the run's start or its end crosses from one slot into the next."""
    latest = span.end - duration
    edges = [series.start, *(slot.end for slot in series.slots)]
    turns = {span.start, latest, *edges, *(edge - duration for edge in edges)}
    return sorted(turn for turn in turns if span.start <= turn <= latest)


def _opening(now: datetime, duration: timedelta, window: Window) -> Span:
    """The first opening of the window, from now on, that the run fits into."""
    if window.span:
        start = max(now, window.span.start)
        if start + duration > window.span.end:
            raise ConfigError([
                f"--window: {window.text}: after {show(start)} less than {duration} (--expected-duration) "
                "is left: move its end"
            ])  # fmt: skip
        return Span(start, window.span.end)
    assert window.hours
    opens, closes = window.hours
    length = (closes - opens) if closes > opens else closes - opens + DAY
    if duration > length:
        raise ConfigError(
            [f"--window: {window.text} lasts {length}, --expected-duration {duration}: widen the window"]
        )
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    openings = (midnight + day * DAY + opens for day in (-1, 0, 1, 2))
    return next(Span(max(now, at), at + length) for at in openings if max(now, at) + duration <= at + length)


def _microseconds(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1)


def record(plan: Plan, started: datetime) -> dict[str, Any]:
    """What the result keeps under `schedule`."""
    series = plan.series
    return {
        "window": plan.window.text if plan.window else None,
        "series": {"file": series.name, "sha256": series.sha256} if series else None,
        "expected_duration_s": plan.duration.total_seconds(),
        "asked_at": plan.now.isoformat(timespec="seconds"),
        "start": plan.start.isoformat(timespec="seconds"),
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "expected_mean": None if plan.mean is None else float(plan.mean),
        "expected_mean_now": None if plan.mean_now is None else float(plan.mean_now),
        "unit": series.unit if series else None,
    }


def lines(plan: Plan) -> list[str]:
    """The choice, and a table of the starts that were considered, thinned out if there are many."""
    text = [f"start {show(plan.start)}, in {plan.start - plan.now}".replace(", in 0:00:00", ", now")]
    if plan.series is None or plan.mean is None:
        return text
    unit = plan.series.unit
    now = "unknown: the series does not cover it" if plan.mean_now is None else number(plan.mean_now)
    text.append(f"expected mean {number(plan.mean)} {unit}; starting now {now}")
    best = next(i for i, (start, _) in enumerate(plan.starts) if start == plan.start)
    stride = -(-len(plan.starts) // TABLE_ROWS)
    rows = [row for i, row in enumerate(plan.starts) if i % stride == best % stride]
    text.append(f"  {'start':<20}  {'end':<20}  mean {unit}")
    for start, value in rows:
        mark = ">" if start == plan.start else " "
        text.append(f"{mark} {show(start):<20}  {show(start + plan.duration):<20}  {number(value)}")
    return text


def show(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%MZ" if not time.second else "%Y-%m-%d %H:%M:%SZ")


def number(value: Fraction) -> str:
    return f"{float(value):.2f}"
