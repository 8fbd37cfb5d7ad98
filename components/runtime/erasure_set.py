"""FixedSize: a store that holds data keeps its number of nodes, even with a plain `pulumi up`.

Each MinIO node refuses drives of another set when it starts: too late, as the old nodes are gone by then.
This refuses in the preview, and in an update before any container is touched.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider


def refusal(before: object, asked: object) -> str | None:
    """Why the number of nodes must not change in this way; None where it may."""
    if before is None or asked is None or int(float(str(before))) == int(float(str(asked))):
        return None
    was, now = int(float(str(before))), int(float(str(asked)))
    if not was or not now:
        there = "outside" if not was else "in the stack"
        back = "put object_store.external back" if not was else "remove object_store.external"
        return (
            f"the object store of this stack is {there}, and its data would be left behind; fix: {back}; to "
            "move, bring up a stack with another name, copy the buckets over, and destroy this one"
        )
    return (
        f"the object store was made with {was} nodes, and its data would be unreadable with another "
        f"number; fix: set object_store.nodes to {was}; for another size bring up a stack with another name, "
        "copy the buckets over, and destroy this one with its data"
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
    """Records the number of `nodes` in the state, 0 for a store outside.

    If it refuses, dependent resources are not touched.
    """

    def __init__(self, name: str, nodes: int, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_FixedSizeProvider(), name, {"nodes": nodes}, opts)
