"""What runs in an image finds every module of ours that it imports: nothing else is copied there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.planning.paths import ROOT
from operations.images import contexts

OURS = {"audit", "benchmark", "components", "images", "operations", "policies"}
IMAGES = sorted(p.parent.name for p in (ROOT / "images").glob("*/Dockerfile"))


def programs(context: Path) -> Iterator[Path]:
    for path in sorted(context.rglob("*")):
        if path.is_file() and (path.suffix == ".py" or b"python" in path.read_bytes()[:40].split(b"\n")[0]):
            yield path


def imported(path: Path, context: Path) -> Iterator[str]:
    """Dotted names that `path` imports when it is run, with the names taken from a module."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(context).parts[: -node.level] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_there(name: str, context: Path) -> bool:
    """Whether `name` is a module of the context, or a name in one that is."""

    def is_module(dotted: str, root: Path) -> bool:
        place = root / dotted.replace(".", "/")
        return place.is_dir() or place.with_suffix(".py").is_file()

    if is_module(name, context) or is_module(name, ROOT):
        return is_module(name, context)
    return is_module(name.rpartition(".")[0], context)


def missing(context: Path) -> list[str]:
    own = {p.parent.name for p in context.glob("*/__init__.py")}
    return [
        f"{path.relative_to(context)} imports {name}"
        for path in programs(context)
        for name in imported(path, context)
        if name.split(".")[0] in OURS | own and not is_there(name, context)
    ]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "BUILD", tmp_path)
    monkeypatch.setattr(contexts, "BINARIES", {})


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_every_module_that_its_programs_import(image: str) -> None:
    assert missing(contexts.assemble(image)) == []


@pytest.mark.parametrize("image", sorted({*contexts.MODULES, *contexts.PACKAGES}))
def test_the_dockerfile_copies_every_package_of_the_context(image: str) -> None:
    context = contexts.assemble(image)
    copied = {
        word.strip("/").split("/")[0]
        for line in (context / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY")
        for word in line.split()[1:-1]
    }
    assert {p.parent.name for p in context.glob("*/__init__.py")} <= copied


def test_a_module_that_was_left_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(m for m in contexts.MODULES["home"] if m != "operations/output.py")
    monkeypatch.setattr(contexts, "MODULES", {"home": kept})
    assert any("operations.output" in line for line in missing(contexts.assemble("home")))
