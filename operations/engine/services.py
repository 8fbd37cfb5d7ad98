"""Services of a stack that a command needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from components.planning.flows import STORE_GATEWAY
from operations.engine.client import Engine
from operations.errors import RefusedError


def outside(engine: Engine, stack: str) -> bool:
    """Whether the stack's object store is an outside one: then it has a way out, and no nodes."""
    return any(c.name == f"aidc-{stack}-{STORE_GATEWAY}" for c in engine.containers(stack))


def running(engine: Engine, stack: str, name: str, called: str = "") -> Mapping[str, Any]:
    """The engine's description of a running service; `called` is what a user calls it.

    Raises RefusedError with the way to start it.
    """
    try:
        found = engine.inspect(f"aidc-{stack}-{name}")
    except NotFound:
        found = {"State": {"Running": False}}
    if not found["State"]["Running"]:
        what = called or f"the service {name}"
        raise RefusedError(f"stack {stack}: {what} does not run; fix: `make up STACK={stack}`")
    return found
