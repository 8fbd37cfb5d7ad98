"""`nodes.json` of a stack: the newest verdicts, waivers, and the speeds that the next check compares with."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from components.planning.paths import ROOT
from operations.nodes_document import NodeRecord, Nodes, NodeVerdict

NAME = "nodes.json"


def folder(stack: str) -> Path:
    return ROOT / "out" / stack


def read(out: Path) -> Nodes | None:
    """None where there is no record, or none that this version can read."""
    try:
        return Nodes.model_validate_json((out / NAME).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def write(found: Nodes, out: Path) -> Path:
    """Replaces the record as a whole, so that nobody reads half of one."""
    out.mkdir(parents=True, exist_ok=True)
    path, fresh = out / NAME, out / f".{NAME}.{os.getpid()}"
    fresh.write_text(json.dumps(found.model_dump(mode="json", by_alias=True), indent=1) + "\n", "utf-8")
    fresh.replace(path)
    return path


def verdicts(found: Nodes | None, declared: Collection[str]) -> list[NodeVerdict]:
    """Those on the nodes that the stack still has, without what only the next check needs."""
    return [verdict_of(node) for node in (found.nodes if found else ()) if node.node in declared]


def verdict_of(node: NodeRecord) -> NodeVerdict:
    return NodeVerdict(**{name: getattr(node, name) for name in NodeVerdict.model_fields})
