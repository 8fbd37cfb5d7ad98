"""Services of a stack that a command needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docker.errors import NotFound

from operations.engine.client import Engine
from operations.errors import RefusedError


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
