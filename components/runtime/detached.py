"""Planning detached from any machine, as the policies do: without an engine and without build contexts.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_detached = ContextVar("detached", default=False)


def is_detached() -> bool:
    """Whether the plan is for checking only, on a machine that need not be able to run it."""
    return _detached.get()


@contextmanager
def detached() -> Iterator[None]:
    """Within this block the host is unknown, and images have placeholder digests."""
    token = _detached.set(True)
    try:
        yield
    finally:
        _detached.reset(token)
