"""Asking until something is as it should be. Effects: prints, sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable

from .settings import say


def wait(fault: Callable[[], str], seconds: float, every: float = 1.0) -> None:
    """Ask until `fault` finds none, saying each new one. Raises TimeoutError after `seconds`."""
    deadline, said = time.monotonic() + seconds, ""
    while reason := fault():
        if reason != said:
            say(f"waiting: {reason}")
            said = reason
        if time.monotonic() > deadline:
            raise TimeoutError(reason)
        time.sleep(every)
