"""`make grafana`: the dashboards as files for Grafana, in `<out>/grafana/`. Needs no stack.

Exit code: 0 written.
"""

from __future__ import annotations

from pathlib import Path

from components.monitoring import grafana
from components.planning.paths import ROOT
from operations.errors import OK
from operations.process import say


def main(stack: str, out: Path | None = None) -> int:
    """Write them (default: into out/<stack>/grafana)."""
    folder = (out or ROOT / "out" / stack) / "grafana"
    folder.mkdir(parents=True, exist_ok=True)
    files = grafana.files()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    say(f"{len(files)} dashboards: {folder}; how to import them: docs/monitoring.md")
    return OK
