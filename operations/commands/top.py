"""Show what each service uses now: CPUs, memory, share of its limit; the busiest first.

On a terminal it goes on until Ctrl-C; otherwise it shows one reading.

Exit codes: 0 shown; 2 the stack is not up.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.live import Live
from rich.table import Table

from operations.engine.client import Engine, connect
from operations.engine.usage import Usage, sample
from operations.errors import OK, RefusedError
from operations.output import console, size


def main(stack: str) -> int:
    """Raises RefusedError when nothing runs."""
    engine = connect()
    first = _read(engine, stack)
    if not sys.stdout.isatty():
        console().print(first)
        return OK
    with Live(first, console=console(), screen=False, auto_refresh=False) as live:
        try:
            while True:
                live.update(_read(engine, stack), refresh=True)
        except KeyboardInterrupt:
            return OK


def _read(engine: Engine, stack: str) -> Table:
    names = [container.name for container in engine.containers(stack) if container.running]
    if not names:
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    prefix = f"aidc-{stack}-"
    return table({name.removeprefix(prefix): used for name, used in sample(engine, names).items()}, stack)


def table(used: Mapping[str, Usage], stack: str) -> Table:
    made = Table("service", title=f"stack {stack}", title_justify="left")
    for name in ("CPUs", "memory", "limit", "of limit"):
        made.add_column(name, justify="right")
    for name, usage in sorted(used.items(), key=lambda item: -item[1].cpus):
        share = f"{usage.memory / usage.limit:.0%}" if usage.limit else ""
        made.add_row(name, f"{usage.cpus:.2f}", size(usage.memory), size(usage.limit), share)
    made.add_section()
    made.add_row(
        "all", f"{sum(u.cpus for u in used.values()):.2f}", size(sum(u.memory for u in used.values()))
    )
    return made
