"""What all parts of an audit share; every room may import it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.engine.snapshot import Snapshot
from audit.verdicts import Part
from components.planning.inventory import Inventory, ServiceEntry
from policies.model import Resource


@dataclass(frozen=True)
class Context:
    """The audited stack, as planned, as exported and as it runs.

    `local`: the engine is on this machine and we are root. `other_plan`: the plan under another seed.
    `tracker` and `python`: slow services, asked since the audit began.
    """

    stack: str
    root: Path
    client: Any
    local: bool
    inventory: Inventory
    ca_pem: str
    exported: Mapping[str, Any]
    snapshot: Snapshot
    plan: tuple[Resource, ...]
    other_plan: tuple[Resource, ...]
    tracker: Future[dict[str, Any]]
    python: Future[Part]

    @property
    def services(self) -> list[ServiceEntry]:
        """Services whose container is running."""
        return [s for s in self.inventory.services if s.container in self.snapshot.running]
