"""What somebody who misspelt a name probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean 'x'?` with the nearest of the `known` names, or `otherwise` when none is near."""
    nearest = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else otherwise
