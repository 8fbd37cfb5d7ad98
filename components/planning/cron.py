"""Five cron fields as supercronic, which runs the backup's schedule, interprets them. Pure.

`parse` accepts exactly what its parser (aptible/supercronic, package cronexpr) accepts: a test compares the
two over generated schedules. `check` also refuses schedules that never run (the scheduler would then spin at
full load) and those that mean something other than they appear to.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
LONG_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
# The scheduler supports no later year. 28 years contain every weekday on every date, leap days included.
YEARS = range(2028, 2056)


@dataclass(frozen=True)
class Field:
    """`numbers` is the pattern of a value; `high` also limits steps, odd as that is for hours."""

    name: str
    low: int
    high: int
    numbers: str
    words: tuple[tuple[str, int], ...] = ()

    @property
    def value(self) -> str:
        return f"(?:{'|'.join([self.numbers, *(word for word, _ in self.words)])})"

    def number(self, text: str) -> int:
        return dict(self.words)[text] if text in dict(self.words) else int(text)


def _words(names: tuple[str, ...], start: int) -> tuple[tuple[str, int], ...]:
    return tuple((word, n) for n, name in enumerate(names, start) for word in (name[:3], name))


MINUTE = Field("minute", 0, 59, "0?[0-9]|[1-5][0-9]")
HOUR = Field("hour", 0, 23, "0?[0-9]|1[0-9]|2[0-3]")
DAY = Field("day of month", 1, 31, "0?[1-9]|[12][0-9]|3[01]")
MONTH = Field("month", 1, 12, "0?[1-9]|1[012]", _words(LONG_MONTHS, start=1))
WEEKDAY = Field("day of week", 0, 6, "0?[0-7]", _words(LONG_DAYS, start=0))
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


@dataclass(frozen=True)
class Part:
    """One entry of a field: its values, None for `*`; `special` is a form for days only, as `l` or `5#2`."""

    text: str
    values: frozenset[int] | None = frozenset()
    special: str = ""


def parse(schedule: str) -> tuple[tuple[Part, ...], ...]:
    """The entries of the five fields. Raises ValueError for what supercronic refuses."""
    fields = re.findall(r"[^\t\n\f\r ]+", schedule)
    if len(fields) != len(FIELDS):
        raise ValueError("a schedule has five fields: minute hour day month weekday")
    return tuple(_field(text, field) for text, field in zip(fields, FIELDS, strict=True))


def _field(text: str, field: Field) -> tuple[Part, ...]:
    parts = [_part(entry, field) for entry in text.split(",") if entry]
    if not parts:
        raise ValueError(f"{text!r} does not contain a {field.name}")
    days = field in (DAY, WEEKDAY)
    for part in parts:
        # In the other fields a star ends the parsing: what follows it is ignored.
        if part.values is None and not days:
            break
        if part.special and not (days and re.fullmatch(_special(field), part.special)):
            raise ValueError(f"{part.text!r} is not a {field.name} between {field.low} and {field.high}")
    return tuple(parts)


def _special(field: Field) -> str:
    return f"l|lw|{field.value}w" if field is DAY else f"{field.value}(?:l|#[1-5])"


def _part(entry: str, field: Field) -> Part:
    text, value = entry.lower(), field.value
    if text in ("*", "?"):
        return Part(entry, None)
    match = re.fullmatch(rf"(?:\*|({value})(?:-({value}))?)(?:/([0-9]+))?", text)
    if match is None:
        return Part(entry, special=text)
    first, last, step = (_number(group, field) for group in match.group(1, 2, 3))
    if match[3] is None:
        low = field.low if first is None else first
        high = low if last is None else last
        if high < low:
            raise ValueError(f"{entry!r} ends before it begins" + _seven(text, field))
        return Part(entry, frozenset(range(low, high + 1)))
    # The parser's table of numbers ends at two digits; longer ones count as 0.
    step = int(match[3]) if len(match[3]) <= 2 and int(match[3]) < 60 else 0
    if not 1 <= step <= field.high:
        raise ValueError(f"{entry!r}: the step is not between 1 and {field.high}")
    low, high = (field.low if first is None else first), (field.high if last is None else last)
    return Part(entry, frozenset(range(low, high + 1, step)))


def _number(text: str | None, field: Field) -> int | None:
    if text is None or not re.fullmatch(field.value, text):
        return None
    if field is WEEKDAY and text.isdigit():
        # 7 is Sunday; two digits are accepted but unknown, which makes them 0.
        return int(text) % 7 if len(text) == 1 else 0
    return field.number(text)


def _seven(text: str, field: Field) -> str:
    return " (7 stands for Sunday, which is 0)" if field is WEEKDAY and "7" in text else ""


def check(schedule: str) -> str:
    """The schedule with single blanks. Raises ValueError with its fault."""
    if not schedule.isascii() or not schedule.isprintable():
        odd = next(c for c in schedule if not (c.isascii() and c.isprintable()))
        raise ValueError(
            f"{schedule!r} contains {odd!r}: only letters, digits, blanks and * ? / , - # are allowed"
        )
    fields = parse(schedule)
    for part in (p for parts, field in zip(fields, FIELDS, strict=True) for p in _misleading(parts, field)):
        raise ValueError(part)
    if not ever_runs(fields):
        raise ValueError(f"{schedule!r} never runs")
    return " ".join(schedule.split())


def _misleading(parts: tuple[Part, ...], field: Field) -> list[str]:
    """Entries that would mean something other than they appear to."""
    found = []
    for part in parts:
        text = part.text.lower()
        if field is WEEKDAY and re.search(r"(^|-)0[0-9]", text):
            found.append(f"{part.text!r} would be read as Sunday: write weekdays with one digit")
        if field is WEEKDAY and re.fullmatch(r"(0|sun|sunday)-7", text):
            found.append(f"{part.text!r} would be read as Sunday only: write * for every day")
        if part.special and field not in (DAY, WEEKDAY):
            found.append(f"{part.text!r} is not a {field.name} between {field.low} and {field.high}")
        if part.values is not None and not part.values and not part.special:
            found.append(f"{part.text!r} ends before it begins{_seven(text, field)}")
    return found


def ever_runs(fields: tuple[tuple[Part, ...], ...]) -> bool:
    """Whether it ever runs. A day of the month or of the week suffices where both are restricted."""
    minutes, hours, days, months, weekdays = fields
    if not all(any(p.values is None or p.values for p in parts) for parts in (minutes, hours, months)):
        return False
    every_month = any(p.values is None for p in months)
    wanted = range(1, 13) if every_month else sorted({n for p in months for n in p.values or ()})
    restricted = [parts for parts in (days, weekdays) if not any(p.values is None for p in parts)]
    if not restricted:
        return True
    return any(
        (days in restricted and _has_day(days, year, month))
        or (weekdays in restricted and _has_weekday(weekdays, year, month))
        for month in wanted
        for year in YEARS
    )


def _has_day(parts: tuple[Part, ...], year: int, month: int) -> bool:
    length = monthrange(year, month)[1]
    workdays = (int(p.special[:-1]) for p in parts if re.fullmatch("[0-9]+w", p.special))
    return (
        any(p.special in ("l", "lw") for p in parts)
        or any(n <= length for p in parts for n in p.values or ())
        or any(n <= length for n in workdays)
    )


def _has_weekday(parts: tuple[Part, ...], year: int, month: int) -> bool:
    if any(p.values or p.special.endswith("l") for p in parts):
        return True
    length, first = monthrange(year, month)[1], date(year, month, 1).isoweekday() % 7
    for part in (p for p in parts if "#" in p.special):
        day, _, week = part.special.partition("#")
        number = _number(day, WEEKDAY) or 0
        if 1 + (number - first) % 7 + 7 * (int(week) - 1) <= length:
            return True
    return False
