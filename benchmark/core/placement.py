"""Where ranks may run: on every node but those that are left out. Pure."""

from __future__ import annotations

from collections.abc import Collection

# The label that each node of the stack carries; its value is the node's name.
LABEL = "aidc/node"


def selector(without: Collection[str]) -> dict[str, str]:
    """Ray's label selector for all nodes but these; empty where none is left out."""
    # No blank after a comma: Ray 2.60 would take it for a part of the name, and leave that node in.
    return {LABEL: f"!in({','.join(sorted(without))})"} if without else {}


def names(text: str) -> tuple[str, ...]:
    """`node1,node2` as names."""
    return tuple(name for name in text.split(",") if name)
