"""What of the host a container may see: namespaces, paths, sockets, devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from policies.model import KINDS, Resource
from policies.rule import resource_rule

SOCKETS = tuple(
    f"{run}/{socket}"
    for run in ("/run", "/var/run")
    for socket in ("docker.sock", "containerd/containerd.sock", "podman/podman.sock", "crio/crio.sock")
)
HOST_PATHS = (
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/root",
    "/sys",
    "/usr",
    "/var/lib",
    "/var/run",
)
GPU_ROLES = frozenset({"compute"})


def _clean(path: str) -> str:
    return normpath(re.sub(r"/+", "/", path))


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def _exposes_socket(path: str) -> bool:
    """A socket itself or a folder above one. Read-only does not help: connecting is no write."""
    named = re.search(r"/(docker|containerd|podman|crio)\.sock$", path) is not None
    return named or any(_within(socket, path) for socket in SOCKETS)


def _bind_device(options: Mapping[str, Any]) -> str:
    """The host path behind a volume of the `local` driver that is a bind mount in disguise; else empty."""
    flags = str(options.get("o") or "").split(",")
    if "bind" in flags or "rbind" in flags:
        return str(options.get("device") or "unnamed")
    return ""


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    cis=("5.32",),
    also=("KSV-0006",),
    fix="remove the mount; whoever speaks to the engine owns the host",
)
def no_docker_socket(container: Resource) -> Iterator[str]:
    """Checks whether no container engine's socket, nor a folder above one, is mounted."""
    for source, target in container.binds:
        if _exposes_socket(_clean(source)):
            yield f"host path {source} at {target} gives access to a container engine's socket"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.6",),
    also=("KSV-0023",),
    fix="use a named volume, seeded with the files that are needed",
)
def no_host_paths(container: Resource) -> Iterator[str]:
    """Checks whether no system folder of the host is mounted."""
    for source, target in container.binds:
        path = _clean(source)
        if any(_within(path, parent) or _within(parent, path) for parent in HOST_PATHS):
            yield f"host path {source} is mounted at {target}"


@resource_rule(
    "volume",
    "container",
    severity="high",
    level="mandatory",
    cis=("5.6",),
    fix="remove the bind option and the device: let the engine place the volume",
)
def no_bind_volume(resource: Resource) -> Iterator[str]:
    """Checks whether no volume is a bind mount in disguise, which would pass the rules on host paths."""
    if resource.kind == "volume":
        device = _bind_device(resource.mapping("driverOpts"))
        if device:
            yield f"driverOpts bind the host path {device}"
        return
    for mount in resource.each("mounts"):
        options = (mount.get("volumeOptions") or {}).get("driverOptions") or {}
        device = _bind_device(options)
        if device:
            yield f"the volume at {mount.get('target')} binds the host path {device}"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.10",),
    also=("KSV-0009",),
    fix="attach the container to the segments of its flows instead",
)
def no_host_network(container: Resource) -> Iterator[str]:
    """Checks whether a container has a network namespace of its own rather than the host's."""
    if container.text("networkMode") == "host" or "host" in container.networks:
        yield "networkMode is host"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="attach the container to the segments of its flows instead",
)
def no_joined_netns(container: Resource) -> Iterator[str]:
    """Checks whether a container keeps out of another container's network namespace."""
    if container.text("networkMode").startswith("container:"):
        yield "networkMode joins another container"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.16",),
    also=("KSV-0010",),
    fix="remove pidMode",
)
def no_host_pid(container: Resource) -> Iterator[str]:
    """Checks whether a container sees only its own processes."""
    if container.text("pidMode").startswith(("host", "container:")):
        yield "pidMode shares the processes of the host or of another container"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.17",),
    also=("KSV-0008",),
    fix='remove ipcMode or set it to "private"',
)
def no_host_ipc(container: Resource) -> Iterator[str]:
    """Checks whether a container's shared memory is its own."""
    if container.text("ipcMode").startswith(("host", "container:", "shareable")):
        yield "ipcMode shares memory with the host or with other containers"


@resource_rule(
    "container",
    severity="medium",
    level="mandatory",
    cis=("5.21",),
    fix="remove utsMode",
)
def no_host_uts(container: Resource) -> Iterator[str]:
    """Checks whether a container cannot change the host's name (seen live: the provider has no input)."""
    if container.text("utsMode") == "host":
        yield "utsMode is host"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.31",),
    fix="remove usernsMode",
)
def no_host_userns(container: Resource) -> Iterator[str]:
    """Checks whether a container does not opt out of the engine's user namespace."""
    if container.text("usernsMode") == "host":
        yield "usernsMode is host"


@resource_rule(
    "container",
    severity="low",
    level="advisory",
    cis=("5.25",),
    fix="remove cgroupParent and cgroupnsMode",
)
def cgroup_default(container: Resource) -> Iterator[str]:
    """Checks whether a container stays in the control group that the engine gives it."""
    if container.text("cgroupParent"):
        yield "cgroupParent is set"
    if container.text("cgroupnsMode") == "host" and container.source != "live":
        # An engine on cgroup v1 reports "host" for every container: only an asked-for one counts.
        yield "cgroupnsMode is host"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.20",),
    fix='remove the propagation or set it to "rprivate"',
)
def no_shared_propagation(container: Resource) -> Iterator[str]:
    """Checks whether mounts made inside a container stay inside."""
    for mount in container.each("mounts"):
        propagation = str((mount.get("bindOptions") or {}).get("propagation") or "")
        if propagation in ("shared", "rshared"):
            yield f"the mount at {mount.get('target')} has propagation {propagation}"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.18",),
    fix="remove it; GPUs go to compute nodes by deviceRequests",
)
def gpu_scope(container: Resource) -> Iterator[str]:
    """Checks whether host devices stay with the host and GPUs with the compute nodes."""
    for device in container.each("devices"):
        yield f"host device {device.get('hostPath')} is passed in"
    for rule in container.each("deviceCgroupRules"):
        yield f"the device rule {rule} opens devices of the host"
    gpu = container.text("gpus") or any(True for _ in container.each("deviceRequests"))
    if (gpu or container.text("runtime") == "nvidia") and container.role not in GPU_ROLES:
        yield f"role {container.role or '(none)'} asks for GPUs"
    if any(name == "LD_PRELOAD" for name, _ in container.environment):
        # The way in of CVE-2025-23266: the NVIDIA hook ran with the container's environment.
        yield "LD_PRELOAD is set"


@resource_rule(
    "other",
    severity="high",
    level="mandatory",
    fix="declare it as a container, network or volume, or teach the rules its type (policies/model.py)",
)
def known_type(resource: Resource) -> Iterator[str]:
    """Checks whether no resource escapes the rules by being of a type that none of them looks at."""
    if resource.type.startswith("docker:") and resource.type not in KINDS:
        yield f"no rule looks at the type {resource.type}"
