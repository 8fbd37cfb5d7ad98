"""When a container is ready and when it has failed: pure judgement, and the wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from components.runtime.labels import KIND

# Docker restarts what crashes; this many restarts during start-up are no coincidence.
MANY_RESTARTS = 3
# Names a file that appears on a request to stop: Pulumi itself waits for running operations.
INTERRUPT_FILE = "AIDC_INTERRUPT_FILE"
# Names a file that gets a line about what is waited for, now and then.
WAITING_FILE = "AIDC_WAITING_FILE"
# What is unhealthy becomes healthy by itself when what it needs has been set up: so long after the last
# service has started and the last job has ended, nothing of the kind is to be expected any more.
SETTLED_AFTER = timedelta(seconds=120)
# Seconds between two words on what is waited for.
TELL_EVERY = 15.0
# Services in such a word, and characters of a reason; all of it is told at the end.
NAMED, REASON = 5, 160


@dataclass(frozen=True)
class Verdict:
    """State of one container: `done` and `failed` are both False while it starts.

    What is `ill` has failed unless something that it needs is still being set up.
    """

    done: bool
    failed: bool
    state: str
    ill: bool = False


def judge(state: Mapping[str, Any], restarts: int, job: bool) -> Verdict:
    """Judge the engine's `State` of a container. A job is done when it has exited with 0."""
    status = state.get("Status", "unknown")
    # What ended and is to start again is unhealthy to the engine, whatever its check would say.
    health = None if status == "restarting" else (state.get("Health") or {}).get("Status")
    code = state.get("ExitCode")
    if restarts >= MANY_RESTARTS and health != "healthy":
        return Verdict(False, True, f"restarted {restarts} times, last exit code {code}", ill=True)
    if job and status == "exited" and code == 0:
        return Verdict(True, False, "finished")
    if status in ("exited", "dead"):
        memory = ", out of memory" if state.get("OOMKilled") else ""
        return Verdict(False, True, f"{status} with code {code}{memory}")
    if health == "unhealthy":
        log = (state.get("Health") or {}).get("Log") or [{}]
        output = str(log[-1].get("Output", "")).strip()
        return Verdict(False, True, f"unhealthy: {output}" if output else "unhealthy", ill=True)
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
    ended = _moment(state, "FinishedAt")
    return ended is not None and ended < moment


def _moment(state: Mapping[str, Any], field_: str) -> datetime | None:
    """The engine writes nanoseconds; what never ran ended in the year 1."""
    text = str(state.get(field_, ""))
    return datetime.fromisoformat(f"{text[:19]}+00:00") if len(text) > 18 else None


@dataclass
class Waiting:
    """One wait: what it saw first, and what the newest look has found."""

    began: datetime | None = None
    restarts: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ill: dict[str, str] = field(default_factory=dict)
    starting: dict[str, str] = field(default_factory=dict)
    changed: datetime = datetime(1, 1, 1, tzinfo=UTC)

    def look(self, found: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
        """Judge the engine's descriptions of all containers, by name."""
        self.began = self.began or now
        before = {*self.ill, *self.starting}
        self.failed, self.ill, self.starting = {}, {}, {}
        for name, one in found.items():
            state, restarts = one["State"], one.get("RestartCount", 0)
            # What crashed before this wait may have missed what is there now.
            fresh = restarts - self.restarts.setdefault(name, restarts)
            verdict = judge(state, restarts if fresh else 0, one["Config"]["Labels"].get(KIND) == "job")
            if verdict.failed and (not verdict.ill or fresh >= MANY_RESTARTS):
                self.failed[name] = verdict.state
            elif verdict.failed:
                self.ill[name] = verdict.state
            elif not verdict.done:
                self.starting[name] = verdict.state
            if restarts < MANY_RESTARTS:
                moments = [moment for f in ("StartedAt", "FinishedAt") if (moment := _moment(state, f))]
                # An engine whose clock is ahead has everything as new as this wait is.
                moments = [moment if moment <= now else self.began for moment in moments]
                self.changed = max([self.changed, *moments])
            if verdict.done and name in before:
                self.changed = now

    def faults(self, now: datetime) -> dict[str, str]:
        """What will not become healthy any more."""
        if self.failed or self.starting or now - self.changed < SETTLED_AFTER:
            return self.failed
        return self.ill

    def text(self) -> str:
        """What is waited for, on one line; what is unhealthy with its reason."""
        named = {**self.ill, **self.starting}
        words = [f"{name} ({' '.join(state.split())[:REASON]})" for name, state in named.items()]
        more = [f"{len(words) - NAMED} more"] if len(words) > NAMED else []
        return ", ".join([*words[:NAMED], *more])


def wait(
    names: Sequence[str],
    timeout: float,
    inspect: Callable[[str], Mapping[str, Any]],
    interrupted: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Poll until all are done; return each one's verdict text when one fails or `timeout` seconds pass.

    An empty result means that everything is healthy. `inspect(name)` returns the engine's description.
    Once `interrupted()` is true, the result names those that are not ready yet. What is unhealthy counts as
    failed when nothing else is on its way any more: until then `tell` gets a line now and then.
    """
    deadline, told = time.monotonic() + timeout, time.monotonic()
    waiting = Waiting()
    while True:
        now = datetime.now(UTC)
        waiting.look({name: inspect(name) for name in names}, now)
        if faults := waiting.faults(now):
            return faults
        late = {name: f"not ready after {timeout:g} s ({state})" for name, state in waiting.starting.items()}
        if not late and not waiting.ill:
            return {}
        if time.monotonic() > deadline:
            return {**waiting.ill, **late}
        if interrupted():
            return dict.fromkeys({**waiting.ill, **late}, "interrupted before it was ready")
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            tell(waiting.text())
        time.sleep(0.25)
