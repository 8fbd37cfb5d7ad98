"""Check the compute nodes, or one of them: do they answer, is there room, are they as fast as they were?

`submit` and `make bench` do the same before they place ranks, and leave out a node that does not pass: disk,
memory, clock, heat, GPUs, and a matrix product against the node's own earlier ones and against its peers.
`--waive REASON` lets a node have ranks in spite of what is wrong with it now, until it passes again.

Exit codes: 0 every node passes or is waived; 1 one does not; 2 no such node, or the stack is not up.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from components.planning.issues import suggest
from operations.engine.client import EngineError, connect
from operations.errors import FAILED, OK, RefusedError
from operations.front.told import Told
from operations.nodes import check, judge, record
from operations.nodes_document import NodeRecord
from operations.output import console
from operations.overview import telling
from operations.process import say

COLOURS = {"pass": "green", "waived": "yellow", "fail": "red"}


def main(
    stack: str, *, node: str | None = None, waive: str | None = None, as_json: bool = False, out: Path | None
) -> int:
    """Raises RefusedError."""
    try:
        engine = connect()
    except EngineError as error:
        raise RefusedError(str(error)) from None
    names = wanted(list(check.containers(engine, stack)), node, stack)
    if waive is not None and (node is None or not waive.strip()):
        raise RefusedError(
            "WAIVE: a waiver needs one node and a reason\n"
            '    fix: make node NODE=node1 WAIVE="its fan is replaced on Monday"'
        )
    folder = out or record.folder(stack)
    found = check.check(engine, stack, names, folder)
    if waive is not None:
        found = _waive(stack, found, waive.strip(), folder)
    telling.tell(engine, stack, Told(nodes=[record.verdict_of(verdict) for verdict in found.values()]))
    if as_json:
        say(json.dumps([record.verdict_of(n).model_dump(mode="json") for n in found.values()], indent=1))
    else:
        console().print(table(list(found.values()), f"stack {stack}"))
    return FAILED if any(verdict.verdict == "fail" for verdict in found.values()) else OK


def wanted(known: Sequence[str], node: str | None, stack: str) -> list[str]:
    """All nodes, or the one; `node1` is `compute-node1`. Raises RefusedError."""
    if not known:
        raise RefusedError(f"stack {stack} is not up; fix: `make up STACK={stack}`")
    if node is None:
        return list(known)
    for name in (node, f"compute-{node}"):
        if name in known:
            return [name]
    raise RefusedError(f"NODE: there is no node {node!r}\n    fix: {suggest(node, known, ', '.join(known))}")


def _waive(stack: str, found: dict[str, NodeRecord], reason: str, out: Path) -> dict[str, NodeRecord]:
    (name, verdict), *_ = found.items()
    if not verdict.faults:
        say(f"{name} passes: there is nothing to waive")
        return found
    changed, known = judge.waived(verdict, reason), record.read(out)
    others = [node for node in (known.nodes if known else ()) if node.node != name]
    check.keep(stack, [*others, changed], out)
    return {name: changed}


def table(found: Sequence[NodeRecord], title: str) -> Table:
    made = Table("node", "verdict", "speed", "what is wrong, and the fix", title=title, title_justify="left")
    for node in found:
        speed = ", ".join(f"{rate:.1f} GFLOP/s" for rate in node.speed.values()) or "-"
        lines = [f"{fault.check}: {fault.found}; fix: {fault.fix}" for fault in node.faults]
        lines += [f"waived: {node.waiver}"] if node.verdict == "waived" else []
        lines += [f"{name} not checked: {why}" for name, why in node.not_checked.items() if name == "speed"]
        text = escape("\n".join(lines)) or "-"
        made.add_row(node.node, f"[{COLOURS[node.verdict]}]{node.verdict}[/]", speed, text)
    return made
