"""When a run was due: the last moment before now at which a crontab's schedule fires. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Lowest and highest number of each field, and its words from the lowest on.
FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, MONTHS),
    (0, 6, WEEKDAYS),
)
# Four years and a day hold a 29 February, except around a century.
DAYS = 366 * 4 + 1


def numbers(field: str, low: int, high: int, words: tuple[str, ...]) -> frozenset[int]:
    """The numbers that one field stands for: `*`, `a`, `a-b`, each with `/step`, and lists of them.

    Raises ValueError for anything else (the last weekday of a month, say).
    """
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        everything = first in ("*", "?")
        start = low if everything else _number(first, low, high, words)
        end = high if everything or (step and not last) else _number(last or first, low, high, words)
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, low: int, high: int, words: tuple[str, ...]) -> int:
    if words and text.isalpha():
        return words.index(text[:3]) + low
    # 7 is Sunday, too.
    return 0 if high == 6 and text == "7" else int(text)


def due(schedule: str, now: datetime) -> datetime | None:
    """The newest moment not after `now`, UTC; None when there was none in four years or it cannot be read."""
    try:
        fields = [numbers(text, *field) for text, field in zip(schedule.split(), FIELDS, strict=True)]
    except ValueError:
        return None
    minutes, hours, days, months, weekdays = fields
    any_day, any_weekday = (set(schedule.split()[index].split(",")) & {"*", "?"} for index in (2, 4))

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
