"""Words that others chose, for a terminal. Pure."""

from __future__ import annotations


def masked(text: str) -> str:
    """`text` with a mark for all that steers a terminal: jobs, containers and nodes choose such words."""
    return "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)


def cell(text: str) -> str:
    """The same on one line."""
    return masked(" ".join(text.split()))
