"""What somebody who mistyped a name may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no name is like it."""
    found = get_close_matches(name, sorted(known), 1, 0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
