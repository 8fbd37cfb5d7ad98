"""A GPU's power limit for the time of a training, by NVML.

Not allowed, not possible, no GPU: then the run goes on without it, and the record says why.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmark.core.ranks import Place
from benchmark.telemetry.counters import NotMeasured, call, handle_of, load_nvml, uuid_of


@dataclass(frozen=True)
class Limit:
    """A limit that was set: watts as the driver reads them back, and how to undo it."""

    watts: float
    restore: Callable[[], None]


def set_limit(device: str, watts: float) -> Limit:
    """NotMeasured, with the reason, where it cannot be set."""
    if device == "cpu":
        raise NotMeasured("training.device: cpu: only a GPU's power is limited")
    nvml = load_nvml()
    return set_by_nvml(nvml, handle_of(nvml, uuid_of(device)), watts)


def set_by_nvml(nvml: Any, handle: Any, watts: float) -> Limit:
    low, high = call(nvml, "nvmlDeviceGetPowerManagementLimitConstraints", handle)
    if not low <= watts * 1e3 <= high:
        raise NotMeasured(f"{watts:g} W is outside this GPU's range, {low / 1e3:g} to {high / 1e3:g} W")
    before = call(nvml, "nvmlDeviceGetPowerManagementLimit", handle)

    def restore() -> None:
        call(nvml, "nvmlDeviceSetPowerManagementLimit", handle, before)

    try:
        nvml.nvmlDeviceSetPowerManagementLimit(handle, round(watts * 1e3))
    except nvml.NVMLError as error:
        raise NotMeasured(f"the driver refused it: {error} (it takes root on the GPU's host)") from error
    return Limit(call(nvml, "nvmlDeviceGetPowerManagementLimit", handle) / 1e3, restore)


@contextmanager
def limited(
    watts: float | None, where: Place, set_limit: Callable[[str, float], Limit] = set_limit
) -> Iterator[dict[str, Any] | None]:
    """What the record says about the limit: None if none was asked for.

    All ranks or none: if one rank's GPU cannot be limited, the others are not either, as the
    slowest rank sets the pace and the result would be of neither kind.
    """
    if watts is None:
        yield None
        return
    limit, reason = None, ""
    with _termination_unwinds():
        try:
            try:
                limit = set_limit(where.device, watts)
            except NotMeasured as problem:
                reason = str(problem)
            outcomes = where.gather((limit.watts if limit else 0.0, reason))
            refused = [(rank, why) for rank, (_, why) in enumerate(outcomes) if why]
            if refused:
                _undo(limit)
                limit = None
                rank, why = refused[0]
                reason = f"rank {rank}: {why}" if where.world_size > 1 else why
            applied = None if refused else max(w for w, _ in outcomes)
            yield {"asked_w": watts, "applied_w": applied, "reason": reason or None}
        finally:
            _undo(limit)


def _undo(limit: Limit | None) -> None:
    if limit is None:
        return
    try:
        limit.restore()
    except NotMeasured as reason:
        print(f"power limit: stays at {limit.watts:g} W: {reason}", file=sys.stderr, flush=True)


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """SIGTERM ends Python without `finally`, and the limit would outlive the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
