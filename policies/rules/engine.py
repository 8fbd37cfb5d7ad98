"""The engine itself; checked live only."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from policies.model import Resource
from policies.rule import resource_rule

# Docker no longer maintains these, or never checked what they mount.
OLD_DRIVERS = frozenset({"aufs", "devicemapper", "vfs"})


@resource_rule(
    "engine",
    severity="medium",
    level="advisory",
    cis=("5.1",),
    fix="run docker swarm leave, unless something else on this host needs the swarm",
)
def no_swarm(engine: Resource) -> Iterator[str]:
    """Checks whether the engine is not in a swarm, which would open ports on the host (live only)."""
    if engine.text("swarm") not in ("", "inactive"):
        yield f"swarm mode is {engine.text('swarm')}"


@resource_rule(
    "engine",
    severity="medium",
    level="advisory",
    cis=("2.5",),
    fix="remove insecure-registries from the engine's configuration",
)
def no_insecure_registry(engine: Resource) -> Iterator[str]:
    """Checks whether the engine pulls images over TLS only (live only)."""
    for registry in engine.each("insecureRegistries"):
        if not _is_loopback(str(registry)):
            yield f"registry {registry} is asked without TLS"


@resource_rule(
    "engine",
    severity="low",
    level="advisory",
    cis=("2.6",),
    fix="set the engine's storage-driver to overlay2; existing images and containers are not migrated",
)
def current_storage_driver(engine: Resource) -> Iterator[str]:
    """Checks whether the engine's storage driver is still maintained (live only)."""
    if engine.text("storageDriver") in OLD_DRIVERS:
        yield f"the storage driver is {engine.text('storageDriver')}"


@resource_rule(
    "engine",
    severity="low",
    level="advisory",
    cis=("2.18",),
    fix="remove experimental from the engine's configuration",
)
def no_experimental_engine(engine: Resource) -> Iterator[str]:
    """Checks whether the engine's experimental features are off (live only)."""
    if engine.get("experimental"):
        yield "experimental features are on"


def _is_loopback(registry: str) -> bool:
    """The engine's own default: traffic on the loopback does not leave the host."""
    try:
        return ip_network(registry).is_loopback
    except ValueError:
        return registry.partition(":")[0] == "localhost"
