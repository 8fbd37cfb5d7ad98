"""Referenced by the state of older stacks; everything else uses `runtime.erasure_set`."""

from components.runtime.erasure_set import _FixedSizeProvider

__all__ = ["_FixedSizeProvider"]
