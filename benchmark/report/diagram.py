"""The diagram of flows: roles in layers from the outside inwards, one arrow per pair of roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 360
BOX_H, LAYER_GAP, MARGIN = 34, 52, 4
# Left free on both sides for arrows that pass a layer, and between boxes for arrows within one.
SIDE, ROW_GAP, TIGHT_GAP = 36, 66, 14
LETTER_W, LINE_H = 6.2, 12  # of a role's name, about


def layers(flows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Roles by the longest way from `clients` to them; roles that call each other share a layer.

    A role that clients cannot reach (a backup job, say) stands one layer below what it calls.
    """
    calls: dict[str, set[str]] = {}
    for flow in flows:
        calls.setdefault(flow["source"], set()).add(flow["destination"])
        calls.setdefault(flow["destination"], set())
    reach = {role: _reachable(role, calls) for role in calls}

    def is_above(a: str, b: str) -> bool:
        return b in calls[a] and a not in reach[b]

    depth: dict[str, int] = {"clients": 0} if "clients" in calls else {}
    inside = reach.get("clients", set())
    for _ in calls:  # as many rounds as there are roles are enough for the longest way
        for b in sorted(inside):
            above = [depth[a] + 1 for a in calls if a in depth and is_above(a, b)]
            equal = [depth[a] for a in calls if a in depth and a in reach[b] and b in reach[a]]
            depth[b] = max([0, *above, *equal])
    for role in sorted(set(calls) - inside - {"clients"}):
        if not any(is_above(a, role) for a in calls):
            depth[role] = 1 + max((depth[b] for b in calls[role] if b in inside), default=-1)
    for _ in calls:
        for b in sorted(set(calls) - inside - {"clients"}):
            above = [depth[a] + 1 for a in calls if a in depth and is_above(a, b)]
            depth[b] = max([depth.get(b, 0), *above])
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for role in sorted(depth):
        rows[depth[role]].append(role)
    return [row for row in rows if row]


def _reachable(start: str, calls: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    frontier = [start]
    while frontier:
        new = calls[frontier.pop()] - seen
        seen |= new
        frontier.extend(new)
    return seen


def draw(flows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> str:
    """SVG of the flows. `counts`: services of each role."""
    rows = layers(flows)
    if not rows:
        return '<p class="empty">The stack declares no flows.</p>'
    place: dict[str, tuple[float, float, float]] = {}
    for i, row in enumerate(rows):
        gap = ROW_GAP if len(row) <= 2 else TIGHT_GAP
        width = min(130.0, (WIDTH - 2 * SIDE - gap * (len(row) - 1)) / len(row))
        start = (WIDTH - len(row) * width - gap * (len(row) - 1)) / 2
        for j, role in enumerate(row):
            place[role] = (start + j * (width + gap), MARGIN + i * (BOX_H + LAYER_GAP), width)
    height = MARGIN * 2 + len(rows) * BOX_H + (len(rows) - 1) * LAYER_GAP
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Flows between the roles" '
             f'xmlns="http://www.w3.org/2000/svg"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
             f'markerWidth="6" markerHeight="6" orient="auto">'
             '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>']  # fmt: skip
    merged: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for flow in flows:
        if flow["source"] != flow["destination"]:
            merged.setdefault((flow["source"], flow["destination"]), []).append(flow)
    labels = []
    for (source, destination), group in sorted(merged.items()):
        if source in place and destination in place:
            path, x, y = _arrow(place[source], place[destination], (destination, source) in merged)
            level = place[source][1] == place[destination][1]
            parts.append(f'<path class="flow" d="{path}" marker-end="url(#tip)"><title>{escape(source)} → '
                         f"{escape(destination)}: {escape(ports(group))}</title></path>")  # fmt: skip
            labels.append(f'<text class="port" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">'
                          f"{escape(_label(group, 12 if level else 18))}</text>")  # fmt: skip
    for role, (x, y, width) in place.items():
        count = f" ×{counts[role]}" if counts.get(role, 1) > 1 else ""
        css = "box outside" if role == "clients" else "box"
        parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX_H}" rx="6"/>')
        lines = fitting(role + count, width)
        for number, line in enumerate(lines):
            base = y + 21 - LINE_H / 2 * (len(lines) - 1) + LINE_H * number
            parts.append(f'<text class="role" x="{x + width / 2:.1f}" y="{base:g}" text-anchor="middle">'
                         f"{escape(line)}</text>")  # fmt: skip
    return "".join([*parts, *labels, "</svg>"])


def fitting(label: str, width: float) -> list[str]:
    """The label, in two lines where it is wider than its box; parted at the hyphen nearest the middle."""
    hyphens = [i for i, letter in enumerate(label) if letter == "-"]
    if len(label) * LETTER_W + 8 <= width or not hyphens:
        return [label]
    at = min(reversed(hyphens), key=lambda i: abs(i - len(label) / 2)) + 1
    return [label[:at], label[at:]]


def ports(group: Sequence[Mapping[str, Any]], limit: int | None = None) -> str:
    """`8443, 9443` or `6379–6387 +3` when more than `limit` rows are there."""
    names = []
    for flow in sorted(group, key=lambda f: f["port"]):
        end = flow.get("port_end", flow["port"])
        name = str(flow["port"]) if end == flow["port"] else f"{flow['port']}–{end}"
        if name not in names:
            names.append(name)
    if limit is not None and len(names) > limit:
        return f"{', '.join(names[: limit - 1])} +{len(names) - limit + 1}"
    return ", ".join(names)


def _label(group: Sequence[Mapping[str, Any]], room: int) -> str:
    """As many ports as fit into `room` characters."""
    found = [text for limit in (None, 3, 2) if len(text := ports(group, limit)) <= room]
    return found[0] if found else ports(group, 2)


def _arrow(
    source: tuple[float, float, float], destination: tuple[float, float, float], both_ways: bool
) -> tuple[str, float, float]:
    """Path and label position. Arrows that go both ways keep apart; those that pass a layer go round it."""
    (sx, sy, sw), (dx, dy, dw) = source, destination
    if sy == dy:
        right = dx > sx
        y = sy + BOX_H / 2 + ((-6 if right else 6) if both_ways else 0)
        x1, x2 = (sx + sw, dx) if right else (sx, dx + dw)
        return f"M{x1:.1f} {y:.1f}L{x2:.1f} {y:.1f}", (x1 + x2) / 2, y + (-5 if right else 11)
    if abs(dy - sy) > BOX_H + LAYER_GAP + 1:
        x1, y1, x2, y2 = sx + sw, sy + BOX_H / 2, dx + dw, dy + BOX_H / 2
        turn = WIDTH + SIDE / 2
        path = f"M{x1:.1f} {y1:.1f}C{turn:.1f} {y1:.1f} {turn:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        return path, (x1 + x2) / 8 + turn * 0.75, (y1 + y2) / 2 + BOX_H
    down = dy > sy
    offset = (14.0 if down else -14.0) if both_ways else 0.0
    x1, x2 = sx + sw / 2 + offset, dx + dw / 2 + offset
    y1, y2 = (sy + BOX_H, dy) if down else (sy, dy + BOX_H)
    middle = (y1 + y2) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    # In the middle of the curve the arrows to and from different boxes are well apart.
    return path, (x1 + x2) / 2, middle + 3
