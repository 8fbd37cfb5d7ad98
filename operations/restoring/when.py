"""A point in time as a user gives it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from operations.errors import RefusedError


def moment(text: str) -> str:
    """A point in time with its zone, as RFC 3339 in UTC. Raises RefusedError."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise RefusedError(f"AT: {text!r:.40} is not a time; fix: write one with its zone, 2026-01-31T02:15Z")
    return found.astimezone(UTC).isoformat(timespec="seconds")
