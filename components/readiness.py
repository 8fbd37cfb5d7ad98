"""Referenced by the state of older stacks; everything else uses `runtime.readiness`."""

from components.runtime.readiness import _ReadyProvider

__all__ = ["_ReadyProvider"]
