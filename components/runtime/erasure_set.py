"""FixedSize: a store that holds data keeps its number of nodes, also where only plain `pulumi up` is run.

MinIO refuses drives of another set, each node when it starts: too late, the nodes before it are gone by then.
This refuses in the preview, and in an update before any container is touched.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider


def refusal(before: object, asked: object) -> str | None:
    """What is wrong with going from one number of nodes to another; None where nothing is."""
    if before is None or asked is None or int(float(str(before))) == int(float(str(asked))):
        return None
    was = int(float(str(before)))
    return (
        f"the object store was made with {was} nodes, and its data would be unreadable with another number; "
        f"fix: write object_store.nodes: {was}; for another size bring up a stack of another name, copy the "
        "buckets over, and destroy this one with its data"
    )


class _FixedSizeProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        fault = refusal(olds.get("nodes"), news.get("nodes"))
        return CheckResult(news, [CheckFailure("nodes", fault)] if fault else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("size", {"nodes": props["nodes"]})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=False)


class FixedSize(Resource, module="erasure_set", name="FixedSize"):
    """Remembers the number of `nodes` in the state. What must not be touched otherwise depends on it."""

    def __init__(self, name: str, nodes: int, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_FixedSizeProvider(), name, {"nodes": nodes}, opts)
