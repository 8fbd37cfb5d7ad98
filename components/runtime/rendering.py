"""Text out of templates. A name that the context lacks is an error, never an empty string."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The templates are configuration files, not web pages: HTML escaping would corrupt them.
        autoescape=False,
    )


def pages(templates: Path) -> Environment:
    """How web pages are made of the templates in a folder: every word is escaped, and none may be missing."""
    return Environment(
        loader=FileSystemLoader(templates),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **context: Any) -> str:
    """Fill `components/templates/<template>`; raises jinja2.UndefinedError for a missing name."""
    return _environment().get_template(template).render(**context)
