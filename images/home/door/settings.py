"""What the service is given: files, addresses, and how long it waits."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

FILES = Path(os.environ.get("DOOR_FILES", "/etc/aidc"))
TOLD = Path(os.environ.get("DOOR_TOLD", "/told"))
# In TOLD: what was told.
TOLD_NAME = "told.json"
PORT = int(os.environ.get("DOOR_PORT", "8081"))
# Seconds: for one source's answer; for which a page is shown again; after which a browser asks again.
WITHIN, KEPT, AGAIN = 4.0, 4.0, 15
# Seconds that a workstation has to say what it tells; others wait for it.
TELLS = int(os.environ.get("DOOR_TELLS", "60"))


@dataclass(frozen=True)
class Stack:
    """What the stack consists of, as declared. `services` are pairs of name and role."""

    name: str
    services: tuple[tuple[str, str], ...]
    endpoints: dict[str, str | None]
    figures: str
    alerts: str

    @property
    def computing(self) -> list[str]:
        """The services that compute: the nodes that a check is of."""
        return [name for name, role in self.services if role == "compute"]


def stack() -> Stack:
    """The settings that `components/front_door.py` writes."""
    raw = json.loads((FILES / "stack.json").read_text(encoding="utf-8"))
    services = tuple((entry["name"], entry["role"]) for entry in raw["services"])
    return Stack(raw["stack"], services, raw["endpoints"], raw["figures"], raw["alerts"])


def say(text: str) -> None:
    print(text, flush=True)
