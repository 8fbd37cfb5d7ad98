"""`make up`: check everything, bring the stack to what its file declares, and verify that it is healthy.

Exit codes: 0 healthy; 1 Pulumi failed or a service is not healthy; 2 invalid file or unsuitable machine,
nothing was created; 130 interrupted, and the next `make up` continues.
"""

from __future__ import annotations

from operations.bringup import bring_up
from operations.errors import OK


def main(stack: str) -> int:
    """Bring `stack` up. Raises OperationError; returns 0."""
    bring_up(stack)
    return OK
