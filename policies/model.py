"""What the rules check: Docker resources, with the property names of the Pulumi engine (`networkMode`).

One shape for three sources: a plan (engine or mocks), exported state, and running containers. Does not import
pulumi, so that a rule can be tried in a Python shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from components.planning.flows import Flow, Listen, tables

Kind = Literal["container", "network", "volume", "image", "limit", "other", "buildfile", "engine", "pin"]
Source = Literal["plan", "state", "live"]

KINDS: Mapping[str, Kind] = {
    "docker:index/container:Container": "container",
    "docker:index/network:Network": "network",
    "docker:index/volume:Volume": "volume",
    "docker:index/remoteImage:RemoteImage": "image",
    "docker:index/image:Image": "image",
    # Our own resource, because the provider has no input for it (components/runtime/limits.py).
    "pulumi-python:dynamic/limits:ProcessLimit": "limit",
}
# Kinds that Pulumi registers; the others are files of the repository and the engine itself.
REGISTERED: frozenset[Kind] = frozenset((*KINDS.values(), "other"))
HIGHEST_ID = 2**31 - 1  # The highest user or group id that the engine accepts.
_NO_NETWORK = frozenset({"", "none", "host", "bridge", "default"})
# Service names hold hyphens, stack names do not (components.planning.config.STACK_NAME).
_NAME = re.compile(r"aidc-(?P<stack>[a-z][a-z0-9]*)-(?P<service>.+)")


@dataclass(frozen=True)
class Resource:
    """One resource. `name` is its Docker name; `props` are wire-style and may hold secrets.

    `type` is the engine's type token; running resources have none. `place` is the line that declares it, as
    `file:line` relative to the repository's root, where that is known.
    """

    kind: Kind
    name: str
    props: Mapping[str, Any]
    urn: str = ""
    source: Source = "plan"
    type: str = ""
    place: str = ""

    def get(self, key: str) -> Any:
        return self.props.get(key)

    def text(self, key: str) -> str:
        """The property as text; absent is the empty string."""
        value = self.props.get(key)
        return "" if value is None else str(value)

    def number(self, key: str) -> float:
        """The property as a number (the engine sends every number as a float); absent or malformed is 0."""
        try:
            return float(self.props.get(key) or 0)
        except (TypeError, ValueError):
            return 0.0

    def each(self, key: str) -> Iterator[Any]:
        """The items of a list property; absent is empty.

        Lists and maps of the engine are proxies that raise on an unknown item: they are read one by one, and
        never compared with `list` or `dict`.
        """
        value = self.props.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            yield from value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A map property; absent is empty."""
        value = self.props.get(key)
        return value if isinstance(value, Mapping) else {}

    def label(self, name: str) -> str:
        found = (item.get("value") for item in self.each("labels") if item.get("label") == name)
        return str(next(found, ""))

    @property
    def role(self) -> str:
        return self.label("aidc.role")

    @property
    def is_seed(self) -> bool:
        """Created to fill a volume and never started. The label alone exempts nothing: anyone may set it."""
        return (
            self.label("aidc.kind") == "seed"
            and self.props.get("start") is False
            and self.props.get("networkMode") == "none"
        )

    @property
    def is_job(self) -> bool:
        """Runs once and exits by itself."""
        return self.label("aidc.kind") == "job"

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the attached networks: `networkMode` may name one, too."""
        names = [str(item.get("name")) for item in self.each("networksAdvanced")]
        mode = self.text("networkMode")
        if mode not in _NO_NETWORK and not mode.startswith("container:"):
            names.append(mode)
        return tuple(dict.fromkeys(names))

    @property
    def environment(self) -> Iterator[tuple[str, str]]:
        """Variables as (name, value). Never print a value."""
        for item in self.each("envs"):
            name, _, value = str(item).partition("=")
            yield name, value

    def variable(self, name: str) -> str:
        """The value of a variable; empty where it is not set, or set twice to different values.

        Which of the two a program sees depends on its language.
        """
        values = {value for given, value in self.environment if given == name}
        return values.pop() if len(values) == 1 else ""

    @property
    def binds(self) -> Iterator[tuple[str, str]]:
        """Host paths mounted into the container, as (host path, path inside)."""
        for mount in self.each("mounts"):
            if str(mount.get("type")).lower() == "bind":
                yield str(mount.get("source") or ""), str(mount.get("target"))
        for volume in self.each("volumes"):
            # The engine treats a volume name with a slash as a path on the host.
            name = str(volume.get("volumeName") or "")
            path = str(volume.get("hostPath") or (name if "/" in name else ""))
            if path:
                yield path, str(volume.get("containerPath"))

    @property
    def writable_volumes(self) -> tuple[str, ...]:
        """Names of the volumes that the container may write to."""
        mounted = [
            str(mount.get("source"))
            for mount in self.each("mounts")
            if mount.get("type") == "volume" and not mount.get("readOnly")
        ]
        mounted += [
            str(volume.get("volumeName"))
            for volume in self.each("volumes")
            if volume.get("volumeName") and not volume.get("readOnly")
        ]
        return tuple(mounted)


@dataclass(frozen=True)
class Stack:
    """Everything that a whole-stack rule may check."""

    resources: tuple[Resource, ...]
    flows: tuple[Flow, ...] = ()
    listens: Mapping[str, tuple[Listen, ...]] = field(default_factory=dict)
    name: str = ""
    source: Source = "plan"

    def of(self, kind: Kind) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.kind == kind)

    @property
    def names(self) -> frozenset[str]:
        """Everything that a fault, and so a waiver, can name: resources, roles and connections."""
        resources = (resource.name for resource in self.resources)
        roles = (role for flow in self.flows for role in (flow.source, flow.destination))
        return frozenset((*resources, *roles, *(connection(flow) for flow in self.flows)))


def assembled(resources: tuple[Resource, ...], name: str = "", source: Source = "plan") -> Stack:
    """A stack of these resources, with the flow table that its roles and published ports ask for."""
    published = {
        int(float(port.get("internal") or 0))
        for resource in resources
        if resource.kind == "container" and resource.role == "load-balancer"
        for port in resource.each("ports")
    }
    return Stack(resources, *tables({resource.role for resource in resources}, published), name, source)


def connection(flow: Flow) -> str:
    """The name that faults and waivers use for all flows between two roles in one segment."""
    return f"{flow.source}->{flow.destination} ({flow.segment})"


def stack_of(name: str) -> str:
    """`aidc-dev-vault` → `dev`; the empty string for a name of another form."""
    match = _NAME.fullmatch(name)
    return match["stack"] if match else ""


def segment_of(network: str) -> str:
    """`aidc-dev-storage` → `storage`; a foreign network keeps its name, so that it equals no segment."""
    match = _NAME.fullmatch(network)
    return match["service"] if match else network
