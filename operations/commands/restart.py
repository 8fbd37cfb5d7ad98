"""Restart a service gracefully, and wait until it is healthy.

Exit codes: 0 healthy; 1 not healthy within the time, with its last lines; 2 no such service.
"""

from __future__ import annotations

from components.runtime.health import judge
from components.runtime.labels import KIND
from operations.engine.choice import chosen
from operations.engine.client import Engine, connect
from operations.errors import FAILED, OK, RefusedError
from operations.polling import poll
from operations.process import say, warn

WITHIN = 300.0


def main(stack: str, service: str | None = None) -> int:
    engine = connect()
    container = chosen(engine, stack, service)
    if container.labels.get(KIND) == "job":
        raise RefusedError(f"{container.name} runs once, during `make up`, and is not a service")
    say(f"{container.name}: restarting …")
    engine.restart(container.name)
    state = poll(
        lambda: _state(engine, container.name), WITHIN, every=1.0, until=lambda s: s in ("healthy", "running")
    )
    if state not in ("healthy", "running"):
        warn(f"{container.name}: {state} after {WITHIN:g} s\n    fix: `make logs S={service}` shows why")
        return FAILED
    say(f"{container.name}: {state}")
    return OK


def _state(engine: Engine, name: str) -> str:
    verdict = judge(engine.inspect(name)["State"], 0, False)
    return verdict.state.splitlines()[0]
