"""A service by its short name, as users write it: `tracking` for aidc-dev-tracking."""

from __future__ import annotations

from components.planning.issues import suggest
from components.runtime.labels import KIND
from operations.engine.client import Engine, EngineResource
from operations.errors import RefusedError


def chosen(engine: Engine, stack: str, name: str | None) -> EngineResource:
    """The container of the service, running or not. Raises RefusedError with the nearest name."""
    prefix = f"aidc-{stack}-"
    found = {
        container.name.removeprefix(prefix): container
        for container in engine.containers(stack)
        if container.labels.get(KIND) in ("service", "job")
    }
    if not found:
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    names = f"one of {', '.join(sorted(found))}"
    if not name:
        raise RefusedError(f"S: no service given\n    fix: name {names}")
    short = name.removeprefix(prefix)
    if short not in found:
        raise RefusedError(
            f"S: stack {stack} has no service {name!r}\n    fix: {suggest(short, found, names)}"
        )
    return found[short]
