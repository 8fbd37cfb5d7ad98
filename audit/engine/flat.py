"""A resource as the audit compares it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from audit.engine.fields import Fields


@dataclass(frozen=True)
class FlatResource:
    """A resource on either side. `inherited` is what a running container has from its image."""

    kind: str
    name: str
    fields: Fields
    inherited: Fields | None = None
