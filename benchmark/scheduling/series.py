"""A price or carbon series from a file: one value from each start until the next.

CSV, the header names the unit:          JSON:

    start,EUR/MWh                            {"unit": "gCO2/kWh", "slots": [
    2026-11-25T22:00Z,41.2                     {"start": "2026-11-25T22:00Z", "value": 210}, …]}

Starts carry a time zone and are evenly apart; the last slot is as long as the others. All mistakes
are reported at once, as `file:line: message`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from benchmark.core import regular
from benchmark.core.errors import ConfigError

SERIES_MOST = 16 << 20  # bytes


@dataclass(frozen=True)
class Slot:
    """`value` holds from `start` to `end`. Exact, so that equal costs are equal."""

    start: datetime
    end: datetime
    value: Fraction


@dataclass(frozen=True)
class Series:
    slots: tuple[Slot, ...]
    unit: str
    name: str
    sha256: str

    @property
    def start(self) -> datetime:
        return self.slots[0].start

    @property
    def end(self) -> datetime:
        return self.slots[-1].end


@dataclass(frozen=True)
class Row:
    """A slot as written, and its line in the file."""

    line: int
    start: str
    value: str


def load(path: Path) -> Series:
    try:
        content = regular.read_bytes(path, SERIES_MOST)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    return parse(text, path.name, str(path), hashlib.sha256(content).hexdigest())


def parse(text: str, name: str, where: str, sha256: str) -> Series:
    """`name` goes into the result, `where` into messages. JSON if the text begins like it."""
    problems: list[str] = []
    unit, rows = _json(text, problems) if text.lstrip()[:1] in ("{", "[") else _csv(text, problems)
    slots = _slots(rows, problems)
    if problems:
        raise ConfigError([f"{where}:{problem}" for problem in problems])
    return Series(tuple(slots), unit, name, sha256)


def _csv(text: str, problems: list[str]) -> tuple[str, list[Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows = []
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            problems.append(f"{reader.line_num}: is not valid CSV: {error}")
            break
        if fields is None:
            break
        cells = [cell.strip() for cell in fields]
        if not any(cells):
            continue
        if len(cells) != 2:
            problems.append(
                f"{reader.line_num}: {len(cells)} columns; write two, start and value, with a comma between"
            )
        if header is None:
            header = cells
            if cells[0].lower() != "start" or len(cells) < 2 or not cells[1] or _decimal(cells[1]):
                problems.append(f"{reader.line_num}: no header; write start,UNIT, for example start,EUR/MWh")
        elif len(cells) == 2:
            rows.append(Row(reader.line_num, *cells))
    return header[1] if header and len(header) > 1 else "", rows


def _json(text: str, problems: list[str]) -> tuple[str, list[Row]]:
    # JSON is also YAML, whose parser knows the line of every node. Raw tabs are white space in JSON only.
    problem = ""
    try:
        content = json.loads(text)
        root: Any = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except RecursionError:
        problem = "1: is nested too deeply"
    except ValueError as error:
        problem = f"{getattr(error, 'lineno', 1)}: is not valid JSON: {getattr(error, 'msg', error)}"
    except yaml.YAMLError as error:
        problem = f"1: cannot be read: {error}".replace("\n", " ")
    if problem:
        problems.append(problem)
        return "", []
    if not isinstance(content, dict):
        problems.append(f'{_line(root)}: must be {{"unit": …, "slots": […]}}')
        return "", []
    nodes = {key.value: node for key, node in root.value}
    unit = content.get("unit")
    if not isinstance(unit, str) or not unit.strip():
        problems.append(f"{_line(nodes.get('unit', root))}: unit: name it, for example gCO2/kWh")
    slots = nodes.get("slots")
    if not isinstance(slots, yaml.SequenceNode):
        problems.append(f'{_line(slots or root)}: slots: must be a list of {{"start": …, "value": …}}')
        return "", []
    rows = []
    for node in slots.value:
        fields = {k.value: v for k, v in node.value} if isinstance(node, yaml.MappingNode) else {}
        if (
            set(fields) != {"start", "value"}
            or len(node.value) != 2
            or not all(isinstance(v, yaml.ScalarNode) for v in fields.values())
        ):
            problems.append(f"{_line(node)}: a slot has a start and a value, and nothing else")
        else:
            rows.append(Row(_line(node), fields["start"].value, fields["value"].value))
    return str(unit), rows


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _slots(rows: list[Row], problems: list[str]) -> list[Slot]:
    """Starts and values read, and the starts evenly apart."""
    slots: list[tuple[Row, datetime, Fraction]] = []
    for row in rows:
        start, value = _start(row, problems), _decimal(row.value)
        if value is None:
            problems.append(f"{row.line}: {row.value!r} is not a valid number")
        elif start is not None:
            slots.append((row, start, Fraction(value)))
    if len(rows) < 2:
        problems.append("1: fewer than two slots: the length of a slot is unknown")
    steps = Counter(b - a for (_, a, _), (_, b, _) in pairwise(slots) if b > a)
    if not steps or len(slots) < len(rows):
        problems.extend(_uneven(slots, None))
        return []
    step = steps.most_common(1)[0][0]
    problems.extend(_uneven(slots, step))
    return [Slot(start, start + step, value) for _, start, value in slots]


def _uneven(slots: list[tuple[Row, datetime, Fraction]], step: timedelta | None) -> Iterator[str]:
    """Slots that do not follow their predecessor. Without a step only the order can be checked."""
    for (before, a, _), (row, b, _) in pairwise(slots):
        if b <= a:
            what = "the same start as" if b == a else "earlier than"
            yield f"{row.line}: {row.start} is {what} line {before.line}; put the starts in order, each once"
        elif step and b - a > step:
            yield f"{row.line}: gap: {b - a} after line {before.line}, where a slot lasts {step}"
        elif step and b - a < step:
            yield f"{row.line}: overlap: {b - a} after line {before.line}, where a slot lasts {step}"


def _start(row: Row, problems: list[str]) -> datetime | None:
    try:
        start = datetime.fromisoformat(row.start)
        if not 2000 <= start.year < 3000:
            raise ValueError
    except ValueError:
        problems.append(f"{row.line}: {row.start!r} is not a valid time; write for example 2026-11-25T22:00Z")
        return None
    if start.tzinfo is None:
        problems.append(f"{row.line}: {row.start!r} has no time zone; write for example 2026-11-25T22:00Z")
        return None
    return start.astimezone(UTC)


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and _is_modest(value) else None


def _is_modest(value: Decimal) -> bool:
    """An exponent of a billion is a valid number too, but cannot become an exact fraction."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and -30 <= exponent <= 30
