"""The diagram of flows: roles in layers from the outside inwards, one arrow a pair of roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH = 360
BOX_H, LAYER_GAP, MARGIN = 34, 52, 4


def layers(flows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Roles by their distance from `clients` along the flows; what nothing leads to comes first."""
    pairs = sorted({(f["source"], f["destination"]) for f in flows if f["source"] != f["destination"]})
    roles = sorted({role for pair in pairs for role in pair})
    depth = {role: 0 for role in roles if not any(b == role for _, b in pairs)}
    if "clients" in roles:
        depth["clients"] = 0
    frontier = sorted(depth)
    while frontier:
        following = sorted({b for a, b in pairs if a in frontier and b not in depth})
        for role in following:
            depth[role] = 1 + max(depth[a] for a, b in pairs if b == role and a in depth)
        frontier = following
    for role in roles:  # roles in a circle that nothing outside leads to
        depth.setdefault(role, 0)
    # A source without a source of its own stands right above what it feeds, not at the top.
    for role in roles:
        targets = [depth[b] for a, b in pairs if a == role]
        if role != "clients" and depth[role] == 0 and targets:
            depth[role] = max(0, min(targets) - 1)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for role in roles:
        rows[depth[role]].append(role)
    return [row for row in rows if row]


def draw(flows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> str:
    """SVG of the flows. `counts`: services of each role."""
    rows = layers(flows)
    if not rows:
        return '<p class="empty">The stack declares no flows.</p>'
    place: dict[str, tuple[float, float, float]] = {}
    for i, row in enumerate(rows):
        width = min(150.0, (WIDTH - 2 * MARGIN - 14 * (len(row) - 1)) / len(row))
        start = (WIDTH - len(row) * width - 14 * (len(row) - 1)) / 2
        for j, role in enumerate(row):
            place[role] = (start + j * (width + 14), MARGIN + i * (BOX_H + LAYER_GAP), width)
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
            parts.append(f'<path class="flow" d="{path}" marker-end="url(#tip)"><title>{escape(source)} → '
                         f"{escape(destination)}: {escape(ports(group))}</title></path>")  # fmt: skip
            labels.append(f'<text class="port" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">'
                          f"{escape(ports(group, 2))}</text>")  # fmt: skip
    for role, (x, y, width) in place.items():
        count = f" ×{counts[role]}" if counts.get(role, 1) > 1 else ""
        css = "box outside" if role == "clients" else "box"
        parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX_H}" rx="6"/>')
        parts.append(f'<text class="role" x="{x + width / 2:.1f}" y="{y + 21}" text-anchor="middle">'
                     f"{escape(role + count)}</text>")  # fmt: skip
    return "".join([*parts, *labels, "</svg>"])


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


def _arrow(
    source: tuple[float, float, float], destination: tuple[float, float, float], both_ways: bool
) -> tuple[str, float, float]:
    """Path and label position. Arrows that go both ways keep to their right-hand side."""
    (sx, sy, sw), (dx, dy, dw) = source, destination
    if sy == dy:
        right = dx > sx
        y = sy + BOX_H / 2 + ((-6 if right else 6) if both_ways else 0)
        x1, x2 = (sx + sw, dx) if right else (sx, dx + dw)
        return f"M{x1:.1f} {y:.1f}L{x2:.1f} {y:.1f}", (x1 + x2) / 2, sy - 6 if right else sy + BOX_H + 12
    down = dy > sy
    offset = (14.0 if down else -14.0) if both_ways else 0.0
    x1, x2 = sx + sw / 2 + offset, dx + dw / 2 + offset
    y1, y2 = (sy + BOX_H, dy) if down else (sy, dy + BOX_H)
    middle = (y1 + y2) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {middle:.1f} {x2:.1f} {middle:.1f} {x2:.1f} {y2:.1f}"
    # Labels sit near the arrow's head, where the arrows to different boxes have parted.
    t = 0.62
    x = x1 + (x2 - x1) * (3 * t * t - 2 * t * t * t)
    return path, x, y1 + (y2 - y1) * t + 3
