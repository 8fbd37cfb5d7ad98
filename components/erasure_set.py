"""Named in the state of stacks older than the rooms; all else uses `runtime.erasure_set`."""

from components.runtime.erasure_set import _FixedSizeProvider

__all__ = ["_FixedSizeProvider"]
