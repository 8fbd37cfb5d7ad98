"""What a script imports from its own folder: it does not come along with the script alone."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

# Bytes of a script that is read: a larger one is data, and would take memory many times its size.
MOST = 1 << 20


def beside(script: Path) -> list[str]:
    """Modules that the script imports and that lie in its folder."""
    if script.stat().st_size > MOST:
        return []
    try:
        with warnings.catch_warnings(action="ignore"):  # they belong to the script's own log
            tree = ast.parse(script.read_bytes())
    except (SyntaxError, ValueError, RecursionError):  # the nodes' Python may know better
        return []
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return sorted(name for name in names - sys.stdlib_module_names if _is_module(script.parent / name))


def _is_module(place: Path) -> bool:
    return place.with_name(f"{place.name}.py").is_file() or next(place.glob("*.py"), None) is not None
