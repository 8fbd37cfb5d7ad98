"""Named in the state of stacks older than the rooms; all else uses `runtime.limits`."""

from components.runtime.limits import _LimitProvider

__all__ = ["_LimitProvider"]
