"""Which modules of a package some programs need: all that they import, however indirectly."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path


def needed(root: Path, programs: Iterable[str]) -> set[Path]:
    """Files under `root` that the dotted modules `programs` import, themselves and imports in functions too.

    Only what lies under `root` counts; a module that does not is an error of the caller: FileNotFoundError.
    """
    todo, seen = list(programs), set[str]()
    files: set[Path] = set()
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _path(root, module)
        if path is None:
            raise FileNotFoundError(f"{module}: no module under {root}")
        files.add(path)
        todo += _imports(root, path)
        if "." in module:  # importing a.b runs a first
            todo.append(module.rpartition(".")[0])
    return files


def _imports(root: Path, path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if _path(root, name)}


def _path(root: Path, module: str) -> Path | None:
    base = root / module.replace(".", "/")
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
