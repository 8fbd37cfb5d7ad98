"""Named in the state of stacks older than the rooms; all else uses `runtime.readiness`."""

from components.runtime.readiness import _ReadyProvider

__all__ = ["_ReadyProvider"]
