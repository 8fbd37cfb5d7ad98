"""One way to wait for something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def poll(check: Callable[[], T], timeout: float, every: float = 1.0, until: Callable[[T], bool] = bool) -> T:
    """The first result of `check` for which `until` holds, or the last one within `timeout` seconds.

    `check` is called at least once, then every `every` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = check()
        if until(result) or time.monotonic() > deadline:
            return result
        time.sleep(every)
