"""Which nodes get no ranks of a job that is about to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from operations.engine.client import EngineError, connect
from operations.errors import RefusedError
from operations.jobs import capacity
from operations.nodes import check, record
from operations.nodes_document import NodeRecord
from operations.process import warn


def left_out(stack: str) -> dict[str, NodeRecord]:
    """Check all nodes now, and name those that get no ranks. Where no engine answers, none is left out."""
    try:
        engine = connect()
    except EngineError as error:
        warn(f"the nodes were not checked: {error}")
        return {}
    found = check.check(engine, stack, list(check.containers(engine, stack)), record.folder(stack))
    bad = {name: node for name, node in found.items() if node.verdict == "fail"}
    for line in described(bad):
        warn(line)
    return bad


def described(bad: Mapping[str, NodeRecord]) -> list[str]:
    """A line for each node, with everything that is wrong with it."""
    return [
        f"{name} gets no ranks: "
        + "; ".join(f"{fault.check}: {fault.found} (fix: {fault.fix})" for fault in node.faults)
        for name, node in bad.items()
    ]


def remaining(found: Sequence[capacity.Node], bad: Mapping[str, NodeRecord]) -> list[capacity.Node]:
    """The nodes that may get ranks. Raises RefusedError where none is left."""
    left = [node for node in found if node.name not in bad]
    if found and not left:
        raise RefusedError(
            "no node passes its check (see above)\n"
            '    fix: mend one, or `make node NODE=… WAIVE="reason"`, which lets it have ranks all the same'
        )
    return left
