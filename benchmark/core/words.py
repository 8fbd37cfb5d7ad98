"""Words that others chose, for a terminal. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` without what steers a terminal: jobs, containers and nodes choose some of these words."""
    return "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)


def cell(text: str) -> str:
    """The same on one line."""
    return printable(" ".join(text.split()))
