"""A limit on the processes of one container, for which the provider has no input.

The ulimit `nproc` does not serve: it counts a user's processes on the whole host, so that containers with the
same user, even of other stacks, would compete. The engine keeps this limit with the container over restarts.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.runtime.readiness import end_with_engine

KEPT = ("container", "identifier", "processes")


class _LimitProvider(ResourceProvider):
    """Sets the limit on create and on update; a refresh reads it from the engine, and notices its absence."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        end_with_engine()
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        _set(props)
        return CreateResult("limit", _kept(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, {**_kept(props), "processes": _limit(props["container"])})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _set(news)
        return UpdateResult(_kept(news))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in KEPT))


def _kept(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in KEPT}


def _limit(container: str) -> int:
    """The limit of a container; 0 where it has none, or no longer exists."""
    import docker as engine  # noqa: PLC0415  (the provider's process needs it, the program's does not)

    try:
        inspected = engine.from_env().api.inspect_container(container)
    except engine.errors.NotFound:
        return 0
    return max(0, inspected["HostConfig"].get("PidsLimit") or 0)


def _set(props: dict[str, Any]) -> None:
    """Set the limit and verify it: the engine only warns where the kernel does not support it.

    Raises:
        RuntimeError: the engine refuses or ignores it.
    """
    import docker as engine  # noqa: PLC0415

    api, name, wanted = engine.from_env().api, props["container"], int(props["processes"])
    # docker-py's own update_container knows every limit but this.
    address = f"{api.base_url}/v{api.api_version}/containers/{name}/update"
    reply = api.post(address, json={"PidsLimit": wanted}, timeout=api.timeout)
    if not reply.ok:
        raise RuntimeError(f"{name}: the engine refuses to limit its processes: {reply.text.strip()}")
    if _limit(name) != wanted:
        raise RuntimeError(
            f"{name}: the engine ignores the limit on its processes: does the kernel count them?"
        )


class ProcessLimit(Resource, module="limits", name="ProcessLimit"):
    """At most `processes` processes and threads in `container`, whose name is `container_name`."""

    def __init__(
        self,
        name: str,
        container: docker.Container,
        container_name: str,
        processes: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "container": container_name,
            # A replaced container has a new identifier, and no limit yet.
            "identifier": container.id,
            "processes": processes,
        }
        super().__init__(_LimitProvider(), name, props, opts)
