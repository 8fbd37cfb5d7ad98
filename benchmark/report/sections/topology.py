"""The section on the stack's services and the flows between them."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from benchmark.report import diagram

Result = dict[str, Any]


def section(result: Result) -> dict[str, Any] | None:
    flows = result["topology"]["flows"]
    if not flows:
        return None
    rows = [
        {
            **{k: f.get(k, "") for k in ("source", "destination", "segment", "why")},
            "ports": diagram.ports([f]),
        }
        for f in flows
    ]
    return {"svg": Markup(diagram.draw(flows, result["topology"]["counts"])), "flows": rows}
