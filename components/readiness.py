"""Ready: `pulumi up` returns when every container is healthy, or fails at once and says why.

The provider's own waiting sits out its whole time-out on an unhealthy or exited container; this one fails
at once, with the name and the last log lines. It checks when a container is new; `make status` at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

LOG_LINES = 15
# Docker restarts what crashes; this many restarts while coming up are no coincidence any more.
MANY_RESTARTS = 3


@dataclass(frozen=True)
class Verdict:
    """State of one container: `done` and `failed` are both False while it comes up."""

    done: bool
    failed: bool
    state: str


def judge(state: Mapping[str, Any], restarts: int, job: bool) -> Verdict:
    """Judge the engine's `State` of a container. A job is done when it has exited with 0."""
    status = state.get("Status", "unknown")
    health = (state.get("Health") or {}).get("Status")
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


def wait(names: Sequence[str], timeout: float, inspect: Callable[[str], Mapping[str, Any]]) -> dict[str, str]:
    """Poll until all are done; return each one's verdict text when one fails or `timeout` seconds pass.

    An empty result means that everything is healthy. `inspect(name)` returns the engine's description.
    """
    deadline = time.monotonic() + timeout
    while True:
        waiting = {}
        failed = {}
        for name in names:
            found = inspect(name)
            job = found["Config"]["Labels"].get("aidc.kind") == "job"
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
        time.sleep(0.25)


class _ReadyProvider(ResourceProvider):
    """Waits on create and on update; reads and deletes nothing."""

    # Nothing secret is captured, and a plain value keeps the state readable.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        _wait_or_raise(props)
        return CreateResult("ready", {"names": props["names"], "identifiers": props["identifiers"]})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _wait_or_raise(news)
        return UpdateResult({"names": news["names"], "identifiers": news["identifiers"]})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=olds.get("identifiers") != news.get("identifiers"))


def _wait_or_raise(props: Mapping[str, Any]) -> None:
    import docker as engine  # noqa: PLC0415  (the provider's process needs it, the program's does not)

    client = engine.from_env()
    problems = wait(props["names"], float(props["timeout"]), client.api.inspect_container)
    if problems:
        parts = []
        for name, fault in problems.items():
            log = client.containers.get(name).logs(tail=LOG_LINES).decode(errors="replace").rstrip()
            indented = "\n".join(f"    {line}" for line in log.splitlines()) or "    (no output)"
            parts.append(f"{name}: {fault}; its last log lines:\n{indented}")
        raise RuntimeError("\n".join(parts))


class Ready(Resource, module="readiness", name="Ready"):
    """Depends on `containers` and waits up to `timeout` seconds until each is healthy, a job finished."""

    def __init__(
        self,
        name: str,
        containers: Sequence[docker.Container],
        *,
        timeout: int = 120,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "names": [c.name for c in containers],
            # A replaced container has a new identifier: then, and only then, there is something to wait for.
            "identifiers": [c.id for c in containers],
            "timeout": timeout,
        }
        super().__init__(_ReadyProvider(), name, props, opts)
