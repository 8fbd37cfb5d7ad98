"""The dashboards for those who have Grafana: the same table of panels in its JSON. Pure.

Source: Grafana's dashboard JSON model, schema version 39. How its data source asks: docs/monitoring.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from components.monitoring.panels import DASHBOARDS, Dashboard, Panel

SCHEMA = 39
# The page is 24 wide there, and 12 in the table of panels.
WIDTH, SCALE, HEIGHT = 24, 2, 8
UNITS = {"": "none", "cores": "none", "B": "bytes", "B/s": "Bps", "s": "s", "1/s": "ops", "%": "percent"}
SOURCE = {"type": "prometheus", "uid": "${source}"}


def files(boards: Sequence[Dashboard] = DASHBOARDS) -> dict[str, str]:
    """File name → the dashboard, JSON."""
    return {f"aidc-{board.name}.json": json.dumps(rendered(board), indent=1) + "\n" for board in boards}


def rendered(board: Dashboard) -> dict[str, Any]:
    """One dashboard. Who imports it is asked for the data source."""
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Data source"}
    return {
        "uid": f"aidc-{board.name}",
        "title": f"AI data centre: {board.title}",
        "tags": ["aidc"],
        "schemaVersion": SCHEMA,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": list(_panels(board)),
    }


def _panels(board: Dashboard) -> Iterator[dict[str, Any]]:
    """Rows and panels from top to bottom, each numbered, none over another."""
    number, top = 0, 0
    for title, panels in board.rows.items():
        number += 1
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "gridPos": place,
            "collapsed": False,
            "panels": [],
        }
        left, top = 0, top + 1
        for panel in panels:
            wide = panel.width * SCALE
            if left + wide > WIDTH:
                left, top = 0, top + HEIGHT
            number += 1
            yield _panel(panel, number, {"x": left, "y": top, "w": wide, "h": HEIGHT})
            left += wide
        top += HEIGHT


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    names = [*panel.names, *[""] * len(panel.shows)]
    targets = [
        {
            "refId": chr(ord("A") + index),
            "expr": query,
            "legendFormat": name or "__auto",
            "datasource": SOURCE,
        }
        for index, (query, name) in enumerate(zip(panel.shows, names, strict=False))
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": UNITS[panel.unit], "min": 0}, "overrides": []},
        "targets": targets,
    }
