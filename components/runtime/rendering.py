"""render(template, context) → text. A name that the context lacks is an error, never an empty string."""

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


def render(template: str, **context: Any) -> str:
    """Fill `components/templates/<template>`; raises jinja2.UndefinedError for a missing name."""
    return _environment().get_template(template).render(**context)
