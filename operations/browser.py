"""The user's browser."""

from __future__ import annotations

import os
import sys
import webbrowser


def browse(url: str) -> None:
    """Show `url` where there is a screen; a browser in a terminal would take it over."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
        webbrowser.open(url)
