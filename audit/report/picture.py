"""The reachability matrix as cells for the page: rows send, columns are reached. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.reachability.probes import CLIENTS, OUTSIDE
from audit.records import NoData, Place, ProbeRecord, Reachability

ARROW = " → "
# Class of a cell → the sign in it, which says the same as its colour.
SIGNS = {"open": "●", "shut": "·", "wrong": "✕", "unsure": "?", "none": "", "self": ""}


@dataclass(frozen=True)
class Cell:
    """One pair: its class, sign, number of open paths, and the words that appear over it."""

    look: str
    sign: str
    count: int
    title: str


@dataclass(frozen=True)
class Line:
    """One sender."""

    name: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Picture:
    """The whole matrix. `columns` are (name, class); `wrong` are probes in words."""

    columns: list[tuple[str, str]]
    lines: list[Line]
    wrong: list[str] = field(default_factory=list)
    probes: int = 0
    pairs: int = 0
    wrong_pairs: int = 0


def draw(reachability: Reachability | NoData) -> Picture | None:
    """The matrix of a document's part; None where nothing was probed."""
    if isinstance(reachability, NoData) or not reachability.probes:
        return None
    probes, places = reachability.probes, reachability.places
    grouped: dict[tuple[str, str], list[ProbeRecord]] = {}
    for probe in probes:
        grouped.setdefault((probe.source, probe.destination), []).append(probe)
    services = [p for p in places if p.kind == "service"]
    others = [p for p in places if p.kind == "place"]
    rows = [*(p for p in others if p.name in (CLIENTS, OUTSIDE)), *services]
    columns = [*services, *(p for p in others if p.name != CLIENTS)]
    lines = [
        Line(
            row.name,
            row.note,
            [cell(row, c, grouped.get((row.name, c.name), [])) for c in columns],
        )
        for row in rows
    ]
    return Picture(
        columns=[(c.name, "place" if c.kind == "place" else "") for c in columns],
        lines=lines,
        wrong=[words(probe) for probe in probes if not probe.right],
        probes=len(probes),
        pairs=len(grouped),
        wrong_pairs=sum(any(not p.right for p in pair) for pair in grouped.values()),
    )


def cell(row: Place, column: Place, mine: Sequence[ProbeRecord]) -> Cell:
    """One pair. One wrong probe makes the pair wrong, whatever else is as it should be."""
    pair = f"{row.name}{ARROW}{column.name}"
    if row.name == column.name:
        return Cell("self", "", 0, "")
    if not mine:
        note = row.note if row.kind == "service" else ""
        note = note or (column.note if column.kind == "service" else "") or "no path to try"
        return Cell("none", "", 0, f"{pair}: not probed ({note})")
    wrong = [p for p in mine if not p.right]
    opened = [p for p in mine if p.right and p.seen == "open"]
    shut = [p for p in mine if p.right and p.seen != "open"]
    look = "wrong" if any(p.seen != "unknown" for p in wrong) else "unsure" if wrong else ""
    look = look or ("open" if opened else "shut")
    parts = [f"wrong: {words(p)}" for p in wrong]
    if opened:
        parts.append(f"open as declared: {', '.join(_port(p) for p in opened)}")
    if shut:
        tcp = sum(p.protocol == "tcp" for p in shut)
        parts.append(f"blocked as declared: {tcp} over TCP, {len(shut) - tcp} over UDP")
    return Cell(look, SIGNS[look], len(opened), f"{pair}\n" + "\n".join(parts))


def words(probe: ProbeRecord) -> str:
    """`a → b tcp/80 in storage: expected blocked, seen open`."""
    path = f"{probe.source}{ARROW}{probe.destination} {_port(probe)}"
    return f"{path}: expected {probe.expected}, seen {probe.seen}"


def _port(probe: ProbeRecord) -> str:
    address, _, port = probe.target.rpartition(":")
    return f"{probe.protocol}/{port}{f' in {probe.segment}' if probe.segment else f' at {address}'}"
