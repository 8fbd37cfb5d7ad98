"""The dashboards of the metrics page, as it reads them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from components.monitoring.panels import DASHBOARDS, Dashboard


def files(boards: Sequence[Dashboard] = DASHBOARDS) -> dict[str, str]:
    """File name → the dashboard, JSON."""
    return {f"{number}-{board.name}.json": _rendered(board) for number, board in enumerate(boards, 1)}


def _rendered(board: Dashboard) -> str:
    rows = [
        {
            "title": title,
            "panels": [
                {
                    "title": panel.title,
                    "description": panel.about,
                    "unit": panel.unit,
                    "expr": list(panel.shows),
                    **({"alias": list(panel.names)} if panel.names else {}),
                    "showLegend": True,
                    "width": panel.width,
                }
                for panel in panels
            ],
        }
        for title, panels in board.rows.items()
    ]
    return json.dumps({"title": board.title, "rows": rows}, indent=1) + "\n"
