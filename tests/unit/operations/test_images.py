"""The compute image holds all that runs in the stack, and nothing that only a workstation runs."""

import ast
from pathlib import Path

import pytest

from operations.images import ROOT, WORKSTATION

ENTRIES = ("benchmark.job", "benchmark.ray_train", "benchmark.serve")


def path_of(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None)


def imported(module: str) -> set[str]:
    path = path_of(module)
    assert path is not None
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if path_of(name)} or {node.module}
    return {name for name in found if name.startswith("benchmark")}


def closure() -> set[str]:
    todo, seen = list(ENTRIES), set[str]()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += imported(module)
    return seen


def test_the_image_holds_what_its_programs_import() -> None:
    left_out = {f"benchmark.{Path(name).stem}" for name in WORKSTATION["benchmark"]}
    assert not closure() & left_out


@pytest.mark.parametrize("name", WORKSTATION["benchmark"])
def test_what_is_left_out_exists(name: str) -> None:
    assert (ROOT / "benchmark" / name).exists()
