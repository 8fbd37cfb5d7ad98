"""What the stack's alerts say now, asked of vmalert in the container of the metrics service."""

from __future__ import annotations

from components.monitoring.scrape import ALERTS
from operations.documents import Alert
from operations.engine.client import Engine
from operations.front.alerts import read

ASK = ["curl", "--silent", "--fail", "--max-time", "5", f"http://127.0.0.1:{ALERTS}/api/v1/rules"]


def ask(engine: Engine, stack: str) -> list[Alert] | None:
    """Alerts that fire or are about to; None when the metrics service cannot tell."""
    return read(engine.output(f"aidc-{stack}-metrics", ASK) or "")
