"""Print what a name can be, one a line, for completion in a shell: toolchain/completion.bash asks.

Kinds: commands, jobs (their names and runs), models, rotatable (what `aidc rotate --what` takes).

Exit codes: 0 printed; 1 the stack is not up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from benchmark.cluster import stack as running
from benchmark.core.errors import StackError
from benchmark.tracking import registry
from components.planning.rotation import ROTATABLE
from operations import cli
from operations.errors import OK
from operations.jobs import request, runs, session
from operations.process import say

# A job may call itself and its models whatever it likes, and a shell would take that for commands.
PLAIN = re.compile(r"[A-Za-z0-9._/@+-]+")


def main(stack: str, kind: str) -> int:
    """Raises OperationError."""
    for name in sorted(filter(PLAIN.fullmatch, NAMES[kind](stack))):
        say(name)
    return OK


def _jobs(stack: str) -> Iterable[str]:
    with session.reporting():
        found = session.connect(stack).ray.jobs()
    return {*map(request.name_of, filter(runs.submitted, found)), *runs.numbered(found).values()}


def _models(stack: str) -> Iterable[str]:
    with session.reporting():
        client = running.read(stack).tracking()
        if client is None:
            raise StackError(f"stack {stack} has no registry of models")
        return registry.catalogue(client)


NAMES: Mapping[str, Callable[[str], Iterable[str]]] = {
    "commands": lambda _: cli.COMMANDS,
    "jobs": _jobs,
    "models": _models,
    "rotatable": lambda _: ROTATABLE,
}
