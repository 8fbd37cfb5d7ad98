"""Fixtures of the acceptance tests, which only a live stack would otherwise try."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = Path(__file__).parents[1] / "acceptance"
WIDTHS = ("function", "class", "module", "package", "session")


class Fixture(NamedTuple):
    """`width`: how long it lasts, as an index into WIDTHS."""

    width: int
    asks: tuple[str, ...]


def scope(decorator: ast.expr) -> str | None:
    """The scope that `@pytest.fixture…` gives; None for another decorator."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not (isinstance(called, ast.Attribute) and called.attr == "fixture"):
        return None
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "scope" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return "function"


def fixtures(source: str) -> dict[str, Fixture]:
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            for named in filter(None, map(scope, node.decorator_list)):
                asks = tuple(argument.arg for argument in node.args.args)
                found[node.name] = Fixture(WIDTHS.index(named), asks)
    return found


def too_short(known: dict[str, Fixture]) -> list[str]:
    """Each fixture that outlasts one that it asks for; pytest says so only when it is set up."""
    return [
        f"{name} ({WIDTHS[fixture.width]}) asks for {asked} ({WIDTHS[known[asked].width]})"
        for name, fixture in known.items()
        for asked in fixture.asks
        if asked in known and known[asked].width < fixture.width
    ]


SHARED = fixtures((FOLDER / "conftest.py").read_text())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_fixture_outlasts_what_it_asks_for(path: Path) -> None:
    assert too_short(SHARED | fixtures(path.read_text())) == []


def test_a_session_that_asks_for_a_module_is_found() -> None:
    source = """
@pytest.fixture(scope="module")
def access(): ...
@pytest.fixture(scope="session")
def viewer(access): ...
@pytest.fixture
def page(viewer): ...
"""
    assert too_short(fixtures(source)) == ["viewer (session) asks for access (module)"]
