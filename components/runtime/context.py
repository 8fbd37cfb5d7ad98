"""What every component needs to know: the plan, the images, and the identity behind secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.planning.plan import Plan
from components.runtime.identity import Identity


@dataclass(frozen=True, kw_only=True)
class Context:
    """One stack. `images` maps a name of `image.IMAGES` to a full reference.

    `cdi` are the GPUs that the engine lists by their CDI names. No container starts before the resources in
    `behind`; volumes and files need not wait for them.
    """

    plan: Plan
    images: Mapping[str, str]
    identity: Identity
    cdi: frozenset[str] = frozenset()
    behind: Sequence[pulumi.Resource] = ()
