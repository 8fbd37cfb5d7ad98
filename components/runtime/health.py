"""When a container is ready and when it has failed: pure judgement, and the wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.runtime.labels import KIND

# Docker restarts what crashes; this many restarts during start-up are no coincidence.
MANY_RESTARTS = 3
# Names a file that appears on a request to stop: Pulumi itself waits for running operations.
INTERRUPT_FILE = "AIDC_INTERRUPT_FILE"


@dataclass(frozen=True)
class Verdict:
    """State of one container: `done` and `failed` are both False while it starts."""

    done: bool
    failed: bool
    state: str


def judge(state: Mapping[str, Any], restarts: int, job: bool) -> Verdict:
    """Judge the engine's `State` of a container. A job is done when it has exited with 0."""
    status = state.get("Status", "unknown")
    # What ended and is to start again is unhealthy to the engine, whatever its check would say.
    health = None if status == "restarting" else (state.get("Health") or {}).get("Status")
    code = state.get("ExitCode")
    if restarts >= MANY_RESTARTS:
        return Verdict(False, True, f"restarted {restarts} times, last exit code {code}")
    if job and status == "exited" and code == 0:
        return Verdict(True, False, "finished")
    if status in ("exited", "dead"):
        memory = ", out of memory" if state.get("OOMKilled") else ""
        return Verdict(False, True, f"{status} with code {code}{memory}")
    if health == "unhealthy":
        log = (state.get("Health") or {}).get("Log") or [{}]
        output = str(log[-1].get("Output", "")).strip()
        return Verdict(False, True, f"unhealthy: {output}" if output else "unhealthy")
    if not job and status == "running" and health in (None, "healthy"):
        return Verdict(True, False, health or status)
    return Verdict(False, False, health or status)


def failed_before(found: Mapping[str, Any], moment: datetime) -> bool:
    """Whether the engine's description `found` is of a job that had failed by then, as of an earlier run.

    Whatever was amiss then may be mended, and a job does the same again.
    """
    state = found["State"]
    if found["Config"]["Labels"].get(KIND) != "job" or not judge(state, 0, job=True).failed:
        return False
    # The engine writes nanoseconds; what never ran ended in the year 1.
    return datetime.fromisoformat(f"{state['FinishedAt'][:19]}+00:00") < moment


def wait(
    names: Sequence[str],
    timeout: float,
    inspect: Callable[[str], Mapping[str, Any]],
    interrupted: Callable[[], bool] = lambda: False,
) -> dict[str, str]:
    """Poll until all are done; return each one's verdict text when one fails or `timeout` seconds pass.

    An empty result means that everything is healthy. `inspect(name)` returns the engine's description.
    Once `interrupted()` is true, the result names those that are not ready yet.
    """
    deadline = time.monotonic() + timeout
    while True:
        waiting = {}
        failed = {}
        for name in names:
            found = inspect(name)
            job = found["Config"]["Labels"].get(KIND) == "job"
            verdict = judge(found["State"], found.get("RestartCount", 0), job)
            if verdict.failed:
                failed[name] = verdict.state
            elif not verdict.done:
                waiting[name] = f"not ready after {timeout:g} s ({verdict.state})"
        if failed:
            return failed
        if not waiting:
            return {}
        if time.monotonic() > deadline:
            return waiting
        if interrupted():
            return dict.fromkeys(waiting, "interrupted before it was ready")
        time.sleep(0.25)
