"""As much of Ray as `benchmark.core.actors` and its users call: a cluster whose ranks end as a test says.

Its clock stands still but for those who wait.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmark.core import actors

HANGS = object()


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    pass


class Call:
    """What a remote method returns: a value, an exception, or HANGS."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome


class Group:
    def __init__(self, cluster: Cluster, bundles: Sequence[Any], options: dict[str, Any]) -> None:
        self.cluster, self.bundles, self.options = cluster, bundles, options

    def wait(self, timeout_seconds: float) -> bool:
        if not self.cluster.room:
            self.cluster.now += timeout_seconds
        return self.cluster.room


class Actor:
    """Rank `number` of start `start`; its methods have the outcomes that the cluster has for them."""

    def __init__(self, cluster: Cluster, start: int, number: int, options: dict[str, Any]) -> None:
        self.cluster, self.start, self.number, self.options = cluster, start, number, options
        self.place = SimpleNamespace(remote=self._place)
        self.train = SimpleNamespace(remote=self._train)

    def _place(self) -> Call:
        there = (f"node{self.number + 1}", f"10.0.0.{self.number + 1}", 4000 + self.start)
        return Call(self.cluster.unplaced.get(self.start, there))

    def _train(self, config: object, *given: object) -> Call:
        self.cluster.given.append(given)
        return Call(self.cluster.starts[self.start][self.number])


class Cluster:
    """`starts`: for each start, how each rank ends; `unplaced`: what a start loses before it begins."""

    def __init__(self) -> None:
        self.room, self.now = True, 0.0
        self.starts: list[list[object]] = []
        self.unplaced: dict[int, Exception] = {}
        self.groups: list[Group] = []
        self.removed: list[Group] = []
        self.made: list[Actor] = []
        self.killed: list[Actor] = []
        self.given: list[tuple[object, ...]] = []

    def group(self, bundles: Sequence[Any], **options: Any) -> Group:
        self.groups.append(Group(self, bundles, options))
        return self.groups[-1]

    def remote(self, **options: Any) -> Any:
        def make() -> Actor:
            start = len(self.groups) - 1
            number = sum(actor.start == start for actor in self.made)
            self.made.append(Actor(self, start, number, options))
            return self.made[-1]

        return lambda kind: SimpleNamespace(remote=make)

    def wait(self, calls: list[Call], num_returns: int, timeout: float) -> tuple[list[Call], list[Call]]:
        ready = [call for call in calls if call.outcome is not HANGS][:num_returns]
        if not ready:
            self.now += timeout
        for call in ready:
            if isinstance(call.outcome, SystemExit):  # a signal comes while the driver waits
                raise call.outcome
        return ready, [call for call in calls if call not in ready]

    def get(self, wanted: Call | list[Call]) -> Any:
        if isinstance(wanted, list):
            return [self.get(call) for call in wanted]
        if isinstance(wanted.outcome, Exception):
            raise wanted.outcome
        return wanted.outcome

    def everything_is_gone(self) -> bool:
        return self.killed == self.made and self.removed == self.groups


def install(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster in the place of Ray, and of the clock of those who wait for it."""
    cluster = Cluster()
    nodes = [
        {
            "Alive": True, "NodeID": str(n), "NodeManagerAddress": f"10.0.0.{n}",
            "NodeManagerHostname": f"node{n}", "Resources": {"CPU": 1.0}, "Labels": {"aidc/node": f"node{n}"},
        }
        for n in (1, 2)
    ]  # fmt: skip
    state = SimpleNamespace(available_resources_per_node=lambda: {"1": {"CPU": 0.25}})
    parts: dict[str, dict[str, Any]] = {
        "ray": {
            "remote": cluster.remote, "wait": cluster.wait, "get": cluster.get, "kill": cluster.killed.append,
            "nodes": lambda: nodes, "init": lambda **_: None, "_private": SimpleNamespace(state=state),
        },
        "ray.exceptions": {"RayError": RayError},
        "ray.util": {},
        "ray.util.placement_group": {
            "placement_group": cluster.group, "remove_placement_group": cluster.removed.append,
        },
        "ray.util.scheduling_strategies": {
            "PlacementGroupSchedulingStrategy": lambda group, placement_group_bundle_index: (
                group, placement_group_bundle_index,
            ),
        },
    }  # fmt: skip
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(actors, "time", SimpleNamespace(monotonic=lambda: cluster.now))
    return cluster
