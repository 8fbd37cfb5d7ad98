"""What every component needs to know: the plan, the images, and the identity behind secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.identity import Identity
from components.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Context:
    """One stack. `images` maps a name of `image.IMAGES` to a full reference."""

    plan: Plan
    images: Mapping[str, str]
    identity: Identity
