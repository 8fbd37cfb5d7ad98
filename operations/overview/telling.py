"""Tells the stack's front door what only this clone knows: jobs, audits, benchmarks, checks of nodes."""

from __future__ import annotations

from datetime import datetime

from docker.errors import DockerException

from operations.engine.client import Engine
from operations.errors import OperationError
from operations.front.told import Told
from operations.status_document import Status


def of_status(found: Status, now: datetime) -> Told:
    """What of a status the stack does not know by itself. Pure."""
    return Told(
        last_audit=found.last_audit,
        last_benchmark=found.last_benchmark,
        nodes=found.nodes,
        jobs=found.jobs,
        jobs_at=now.isoformat(timespec="seconds") if found.jobs is not None else None,
    )


def tell(engine: Engine, stack: str, told: Told) -> bool:
    """Whether the front door took it; one that does not run is told the next time."""
    line = told.model_dump_json(by_alias=True) + "\n"
    try:
        return engine.converse(f"aidc-{stack}-home", ["home", "tell"], line, lambda _: None) == 0
    except (DockerException, OperationError, OSError):
        return False
