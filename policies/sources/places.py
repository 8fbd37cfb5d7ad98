"""Where in the repository a fault is fixed: a file and a line, for annotations and for code scanning."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from policies.evaluate import Outcome

# Rules that a key of the stack's YAML alone can break, and that key below `aidc:datacenter`. The component
# has the section's name.
SETTINGS: Mapping[str, tuple[str, str]] = {"publish-explicit-ip": ("load_balancer", "bind")}
# Modules that declare resources on behalf of others: their caller is the more useful place.
SHARED = frozenset({"container.py", "files.py", "volume.py"})
FLOWS = "components/planning/flows.py"


def declared(root: Path) -> str:
    """`file:line` of the code that is declaring a resource; to be called while it does.

    The innermost line of a component, shared modules excluded, or else of the composition root.
    """
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename).resolve()
        if path.parent == root.resolve() / "components" and path.name not in SHARED:
            return f"components/{path.name}:{frame.f_lineno}"
        if path == root.resolve() / "__main__.py":
            return f"{path.name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def place(outcome: Outcome, stack: str, root: Path) -> tuple[str, int]:
    """File relative to `root` and line of an outcome; the stack's YAML where nothing better is known."""
    file, _, line = outcome.place.rpartition(":")
    section, key = SETTINGS.get(outcome.rule.name, ("", ""))
    if section and Path(file).stem == section:
        return _key(stack, root, section, key)
    inside = re.match(r"line (\d+): ", outcome.fault)
    if file and inside:  # A build file: the fault itself names the line.
        return file, int(inside[1])
    if file:
        return file, int(line)
    if re.search(r"->|\bflow\b", f"{outcome.resource} {outcome.fault}"):
        return FLOWS, _flow(outcome.resource, root)
    return _key(stack, root)


def _flow(name: str, root: Path) -> int:
    """The line of the flow table that declares a connection; else the table's first line."""
    source, _, rest = name.partition("->")
    destination = rest.partition(" ")[0]
    lines = (root / FLOWS).read_text(encoding="utf-8").splitlines()
    first = next((number for number, line in enumerate(lines, 1) if line.startswith("FLOWS")), 1)
    ends = f'"{source}", "{destination}"'
    return next((number for number, line in enumerate(lines, 1) if ends in line), first)


def _key(stack: str, root: Path, *path: str) -> tuple[str, int]:
    """The line of a key below the first setting of the stack's YAML, or of the nearest key above it."""
    file = root / f"Pulumi.{stack}.yaml"
    if not file.exists():
        return "Pulumi.yaml", 1
    node, line = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), 1
    for wanted in ("config", "aidc:datacenter", *path):
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == wanted:
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return file.name, line
