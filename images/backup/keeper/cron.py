"""When a run was due: the last moment before now at which a crontab's schedule fires. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
WEEKDAYS = "sun mon tue wed thu fri sat"
NAMES = {name: n for n, name in [*enumerate(MONTHS.split(), 1), *enumerate(WEEKDAYS.split())]}
# Four years and a day hold a 29 February, except around a century.
DAYS = 366 * 4 + 1


def numbers(field: str, low: int, high: int) -> frozenset[int]:
    """The numbers that one field stands for: `*`, `a`, `a-b`, each with `/step`, and lists of them."""
    found: set[int] = set()
    named = re.sub(r"[a-z]{3}", lambda m: str(NAMES.get(m[0], m[0])), field.lower())
    for part in named.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(first)
        end = high if first == "*" or (step and not last) else int(last or first)
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def due(schedule: str, now: datetime) -> datetime | None:
    """The newest moment not after `now`, UTC; None when there was none in four years or it cannot be read."""
    try:
        fields = [numbers(f, *span) for f, span in zip(schedule.split(), RANGES, strict=True)]
    except ValueError:
        return None
    minutes, hours, days, months, weekdays = fields
    any_day, any_weekday = (schedule.split()[index].startswith("*") for index in (2, 4))
    weekdays = frozenset(day % 7 for day in weekdays)

    def fires(day: date) -> bool:
        in_month, in_week = day.day in days, day.isoweekday() % 7 in weekdays
        # As in every cron: with both restricted, either will do.
        right = in_month and in_week if any_day or any_weekday else in_month or in_week
        return day.month in months and right

    now = now.astimezone(UTC)
    for back in range(DAYS):
        day = now.date() - timedelta(days=back)
        if not fires(day):
            continue
        for hour in sorted(hours, reverse=True):
            for minute in sorted(minutes, reverse=True):
                moment = datetime.combine(day, time(hour, minute), UTC)
                if moment <= now:
                    return moment
    return None
