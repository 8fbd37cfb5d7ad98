"""Plots as inline SVG: no script, no fonts, no colours of their own.

Colours come from CSS classes (`s1` … `s6` for series, `s7` … `s9` for verdicts, `target`, `grid`, …), so
that one drawing serves light, dark and print. Drawings are 360 units wide, a phone's width, and grow
little: text stays readable everywhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 360, 232
LEFT, RIGHT, TOP, BOTTOM = 54, 8, 14, 38
LABEL_GAP = 11.0
LABEL_WIDTH = 5.0  # of one letter, about
LABEL_RISE = 8.0  # height of a label's text above its base line

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Series:
    points: Sequence[Point]
    label: str = ""
    style: int = 1
    steps: bool = False
    marks: bool = False
    thin: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal or vertical reference line with a label."""

    value: float
    label: str
    css: str = "reference"


@dataclass(frozen=True)
class Chart:
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    verticals: Sequence[Level] = ()
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    y_percent: bool = False
    off_scale: list[str] = field(default_factory=list)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers within [low, high]."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within [low, high], thinned to six; with 1-2-5 steps when they are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**p for p in powers if low <= 10.0**p * 1.0000001 and 10.0**p <= high * 1.0000001]
    if len(found) < 3:
        found = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return found[:: -(-len(found) // 6)] if found else [low]


def number(value: float) -> str:
    """A tick label: 0.955, 20 k, 1.5 M."""
    size = abs(value)
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if size >= limit:
            return f"{value / float('1e3' if unit == ' k' else limit):.4g}{unit}"
    return f"{value:.4g}"


def line_chart(chart: Chart) -> str:
    """Lines, reference levels and axes; a note instead of a drawing when there is nothing to draw."""
    points = [p for s in chart.series for p in s.points if math.isfinite(p[0]) and math.isfinite(p[1])]
    if not points:
        return '<p class="empty">No points were measured.</p>'
    x_low, x_high = chart.x_range or _range([p[0] for p in points], chart.log_x, zero=not chart.log_x)
    shown = [p[1] for p in points] + [level.value for level in chart.levels]
    y_low, y_high = chart.y_range or _range(shown, chart.log_y, pad=0.12)

    def x_of(value: float) -> float:
        return LEFT + _place(value, x_low, x_high, chart.log_x) * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - _place(value, y_low, y_high, chart.log_y) * (HEIGHT - TOP - BOTTOM)

    parts = [_open(chart.title, HEIGHT)]
    for value in log_ticks(y_low, y_high) if chart.log_y else ticks(y_low, y_high):
        y = y_of(value)
        label = f"{100 * value:.4g} %" if chart.y_percent else number(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>')
    for value in log_ticks(x_low, x_high) if chart.log_x else ticks(x_low, x_high):
        x = x_of(value)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">'
                     f"{number(value)}</text>")  # fmt: skip
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="label" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">'
                 f"{escape(chart.x_label)}</text>")  # fmt: skip
    centre = (TOP + base) / 2
    parts.append(f'<text class="label" transform="translate(8 {centre}) rotate(-90)" text-anchor="middle">'
                 f"{escape(chart.y_label)}</text>")  # fmt: skip
    parts.extend(_level_lines(chart.levels, y_of))
    parts.extend(
        f'<line class="{level.css}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{base}"/>'
        for level in chart.verticals
        for x in [x_of(level.value)]
        if LEFT <= x <= WIDTH - RIGHT
    )
    for series in chart.series:
        parts.extend(_line(series, x_of, y_of))
    # Last, so that no curve runs over a label.
    parts.extend(_level_labels(chart.levels, y_of, _along(chart.series, x_of, y_of)))
    parts.extend(_vertical_labels(chart.verticals, x_of, base))
    return "".join([*parts, "</svg>"])


def _line(series: Series, x_of: Scale, y_of: Scale) -> list[str]:
    placed = [(x_of(x), y_of(y)) for x, y in series.points if math.isfinite(x) and math.isfinite(y)]
    if not placed:
        return []
    path = f"M{placed[0][0]:.1f} {placed[0][1]:.1f}"
    for x, y in placed[1:]:
        path += f"H{x:.1f}V{y:.1f}" if series.steps else f"L{x:.1f} {y:.1f}"
    title = f"<title>{escape(series.label)}</title>" if series.label else ""
    weight = " thin" if series.thin else ""
    parts = [f'<path class="line s{series.style}{weight}" d="{path}">{title}</path>']
    if series.marks or len(placed) == 1:
        parts += [
            f'<circle class="mark s{series.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in placed
        ]
    return parts


def _level_lines(levels: Sequence[Level], y_of: Scale) -> list[str]:
    return [
        f'<line class="{level.css}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for level in levels
        for y in [y_of(level.value)]
    ]


def _level_labels(levels: Sequence[Level], y_of: Scale, curves: Sequence[Point]) -> list[str]:
    """Each label beside its line, where it covers the least: no other label, line or curve if that can be."""
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []  # left, right, base line
    for level in sorted(levels, key=lambda item: y_of(item.value)):
        y, width = y_of(level.value), LABEL_WIDTH * len(level.label)
        others = [y_of(other.value) for other in levels if other is not level]
        best = (math.inf, "end", WIDTH - RIGHT, y - 3.5)
        for anchor, dy in itertools.product(("end", "start"), (-3.5, 10.5, 21.5, 32.5)):
            left = WIDTH - RIGHT - width if anchor == "end" else LEFT + 4
            right, base = left + width, y + dy
            cost = 1000 * sum(a < right and left < b and abs(c - base) < LABEL_GAP for a, b, c in taken)
            cost += 10 * sum(base - LABEL_RISE < line < base + 2 for line in others) + 50 * (dy > 11)
            cost += 100 * (base > HEIGHT - BOTTOM - 2)  # on the axis
            cost += sum(left < px < right and base - LABEL_RISE - 1 < py < base + 2 for px, py in curves)
            if cost < best[0]:
                best = (cost, anchor, WIDTH - RIGHT if anchor == "end" else LEFT + 4, base)
        _, anchor, x, base = best
        left = x - width if anchor == "end" else x
        taken.append((left, left + width, base))
        parts.append(f'<text class="note {level.css}-text" x="{x:g}" y="{base:.1f}" text-anchor="{anchor}">'
                     f"{escape(level.label)}</text>")  # fmt: skip
    return parts


def _vertical_labels(verticals: Sequence[Level], x_of: Scale, base: float) -> list[str]:
    """Each label beside its line, from the axis upwards: one that would run into another goes above it."""
    parts: list[str] = []
    taken: list[tuple[float, float, int]] = []  # left, right, row
    for level in sorted(verticals, key=lambda item: item.value):
        x = x_of(level.value)
        if not LEFT <= x <= WIDTH - RIGHT:
            continue
        anchor, dx = ("end", -4) if x > WIDTH * 0.6 else ("start", 4)
        width = LABEL_WIDTH * len(level.label)
        left = x + dx - (width if anchor == "end" else 0)
        beside = {r for a, b, r in taken if a < left + width and left < b}
        row = next(n for n in itertools.count() if n not in beside)
        taken.append((left, left + width, row))
        parts.append(f'<text class="note clear {level.css}-text" x="{x + dx:.1f}" '
                     f'y="{base - 6 - row * LABEL_GAP:.1f}" text-anchor="{anchor}">'
                     f"{escape(level.label)}</text>")  # fmt: skip
    return parts


def _along(series: Sequence[Series], x_of: Scale, y_of: Scale) -> list[Point]:
    """Points along all curves, dense enough to tell whether a label would lie on them."""
    found = []
    for one in series:
        placed = [(x_of(x), y_of(y)) for x, y in one.points if math.isfinite(x) and math.isfinite(y)]
        for (x1, y1), (x2, y2) in itertools.pairwise(placed):
            count = max(1, round(math.hypot(x2 - x1, y2 - y1) / 4))
            found += [(x1 + (x2 - x1) * k / count, y1 + (y2 - y1) * k / count) for k in range(count + 1)]
    return found


def stacked_bars(title: str, rows: Mapping[str, Mapping[str, float]], styles: Mapping[str, int]) -> str:
    """One bar per row, each scaled to its own total; the shares are written where there is room."""
    bar, gap, label = 26, 40, 16
    height = len(rows) * (bar + gap) + 4
    parts = [_open(title, height)]
    for number_of_row, (name, values) in enumerate(rows.items()):
        top = number_of_row * (bar + gap) + label
        total = sum(values.values())
        parts.append(f'<text class="row" x="0" y="{top - 5}">{escape(name)}</text>')
        parts.append(
            f'<text class="tick" x="{WIDTH}" y="{top - 5}" text-anchor="end">'
            f"{total * 1e3:.3g} ms per step</text>"
        )
        x = 0.0
        for key, value in values.items():
            width = WIDTH * value / total if total else 0
            share = 100 * value / total if total else 0
            parts.append(f'<rect class="bar s{styles[key]}" x="{x:.1f}" y="{top}" '
                         f'width="{max(0.0, width - 1):.1f}" '
                         f'height="{bar}" rx="2">'
                         f"<title>{escape(key)}: {value * 1e3:.3g} ms, {share:.1f} %</title>"
                         f"</rect>")  # fmt: skip
            if width > 34:
                parts.append(f'<text class="inbar" x="{x + width / 2:.1f}" y="{top + 17}" '
                             f'text-anchor="middle">'
                             f"{share:.0f} %</text>")  # fmt: skip
            x += width
    return "".join([*parts, "</svg>"])


# Colours of their own, those of the words: a series of the same colour would look like a verdict.
VERDICT_STYLES = {"pass": 7, "fail": 8, "inconclusive": 9}


@dataclass(frozen=True)
class Interval:
    label: str
    middle: float
    low: float | None  # no ends: too few pairs to know them
    high: float | None
    style: int = 1
    note: str = ""


def intervals(title: str, rows: Sequence[Interval], bound: Level) -> str:
    """Ratios on a logarithmic axis, one per line with its interval; a dashed bound, and a line at 1."""
    if not rows:
        return '<p class="empty">No pairs were measured.</p>'
    line, top = 34, 16
    base = top + len(rows) * line
    shown = [v for r in rows for v in (r.low, r.middle, r.high) if v is not None]
    low, high = min(bound.value, 1.0, *shown) / 1.03, max(bound.value, 1.0, *shown) * 1.03

    def x_of(value: float) -> float:
        return 8 + _place(value, low, high, True) * (WIDTH - 16)

    parts = [_open(title, base + 18)]
    for level in (Level(1.0, "", "axis"), bound):
        x = x_of(level.value)
        parts.append(f'<line class="{level.css}" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 4}" y2="{base}"/>')
        anchor = "start" if x < 60 else "end" if x > WIDTH - 60 else "middle"
        if level.label:
            parts.append(f'<text class="note {level.css}-text" x="{x:.1f}" y="{top - 7}" '
                         f'text-anchor="{anchor}">{escape(level.label)}</text>')  # fmt: skip
    # 1 and the bound are marked already; ticks that would run into each other are left out.
    last = -math.inf
    for value in ticks(low, high, 4):
        if x_of(value) - last >= 34 and 16 <= x_of(value) <= WIDTH - 16:
            last = x_of(value)
            parts.append(f'<text class="tick" x="{last:.1f}" y="{base + 13}" text-anchor="middle">'
                         f"{number(value)}</text>")  # fmt: skip
    for index, row in enumerate(rows):
        y = top + index * line + 24
        parts.append(f'<text class="row clear" x="0" y="{y - 9}">{escape(row.label)}</text>')
        parts.append(
            f'<text class="tick clear" x="{WIDTH}" y="{y - 9}" text-anchor="end">{escape(row.note)}</text>'
        )
        ends = "too few pairs for an interval"
        if row.low is not None and row.high is not None:
            ends = f"{row.low:.3f} to {row.high:.3f}"
            line_of = f"M{x_of(row.low):.1f} {y}H{x_of(row.high):.1f}"
            parts.append(f'<path class="line s{row.style}" d="{line_of}"/>')
        title = f"<title>{escape(row.label)}: {ends}</title>"
        x = x_of(row.middle)
        parts.append(f'<circle class="mark s{row.style}" cx="{x:.1f}" cy="{y}" r="3.6">{title}</circle>')
    return "".join([*parts, "</svg>"])


def _open(title: str, height: float) -> str:
    return (f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}" '
            f'xmlns="http://www.w3.org/2000/svg">')  # fmt: skip


def _place(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = (math.log10(max(v, 1e-12)) for v in (value, low, high))
    return (value - low) / (high - low) if high > low else 0.5


def _range(values: Sequence[float], log: bool, zero: bool = False, pad: float = 0.0) -> tuple[float, float]:
    low, high = min(values), max(values)
    if log:
        return (low / 1.15, high * 1.15) if low > 0 else (1e-3, max(high, 1.0))
    if zero:
        low = min(0.0, low)
    if high == low:
        low, high = low - abs(low) * 0.05 - 1e-9, high + abs(high) * 0.05 + 1e-9
    return low - (high - low) * pad, high + (high - low) * pad
