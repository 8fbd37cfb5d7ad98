"""Referenced by the state of older stacks; everything else uses `runtime.limits`."""

from components.runtime.limits import _LimitProvider

__all__ = ["_LimitProvider"]
