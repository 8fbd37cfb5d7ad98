"""Rows of tables against those that were recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def compare(recorded: Mapping[str, Any], restored: Mapping[str, Any], how: str = "") -> Iterator[str]:
    """Each table that is missing, is not expected, or has other rows; `how` it came back."""
    for name in sorted({*recorded, *restored}):
        before, after = recorded.get(name), restored.get(name)
        if before is None or after is None:
            yield f"database {name}{how}: {'not expected' if before is None else 'missing'}"
            continue
        for table in sorted({*before, *after}):
            if before.get(table) != after.get(table):
                words = f"{_words(after.get(table))}, saved {_words(before.get(table))}"
                yield f"database {name}{how}, table {table}: {words}"


def _words(facts: Mapping[str, Any] | None) -> str:
    return "none" if facts is None else f"{facts['rows']} rows (digest {facts['digest']})"
