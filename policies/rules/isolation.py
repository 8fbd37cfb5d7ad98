"""A container's access to the host: namespaces, paths, sockets, devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import normpath
from typing import Any

from components.planning.gpus import ONE_CDI
from policies.model import KINDS, Resource
from policies.rule import resource_rule
from policies.rules.build import at, instructions

SOCKETS = tuple(
    f"{run}/{socket}"
    for run in ("/run", "/var/run")
    for socket in ("docker.sock", "containerd/containerd.sock", "podman/podman.sock", "crio/crio.sock")
)
# Rootless engines keep theirs in a folder of the user.
USER_SOCKETS = re.compile(
    r"/(docker|dockerd|containerd|podman|crio|cri-dockerd|buildkitd)\.sock$|/\.docker(/|$)"
)
USER_FOLDERS = ("/run/user", "/var/run/user")
HOST_PATHS = (
    "/bin", "/boot", "/dev", "/efi", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/proc",
    "/root", "/run", "/sbin", "/snap", "/sys", "/usr", "/var/backups", "/var/cache", "/var/db", "/var/lib",
    "/var/lock", "/var/log", "/var/mail", "/var/run", "/var/snap", "/var/spool",
)  # fmt: skip
# Mounts that the engine itself manages; anything else comes from outside it.
MOUNT_TYPES = frozenset({"volume", "tmpfs", "bind"})
GPU_ROLES = frozenset({"compute"})
# With the NVIDIA runtime as the engine's default, these alone open devices; a mount below the folder, too.
GPU_VARIABLE = re.compile(r"NVIDIA_(VISIBLE_DEVICES|MIG_\w+|IMEX_CHANNELS)")
GPU_FOLDER = "nvidia-container-devices"
NO_GPUS = frozenset({"", "void", "none"})
# The way in of CVE-2025-23266: the NVIDIA hook ran with the container's environment.
LOADERS = frozenset({"LD_PRELOAD", "LD_AUDIT"})
# Types that are no containers, networks or volumes: the engine's own, this program's components and checks.
OTHER_TYPES = re.compile(
    r"pulumi:pulumi:Stack|pulumi:providers:(pulumi|docker|pulumi-python)|aidc:[a-z_]+:[A-Za-z]+"
    r"|pulumi-python:dynamic/(readiness:Ready|erasure_set:FixedSize)"
)


def _clean(path: str) -> str:
    return normpath(re.sub(r"/+", "/", path))


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def _exposes_socket(path: str) -> bool:
    """A socket itself or a folder above one. Read-only does not help: connecting needs no write access."""
    named = USER_SOCKETS.search(path) is not None
    return (
        named
        or any(_within(socket, path) for socket in SOCKETS)
        or any(_within(path, folder) for folder in USER_FOLDERS)
    )


def _volume_fault(driver: object, options: Mapping[str, Any]) -> str:
    """What makes a volume come from outside the engine's own folder; else empty.

    The `local` driver mounts anything that `mount` would: a bind mount is only one way of many.
    """
    if str(driver or "local") != "local":
        return f"driver {driver}"
    given = {str(key).lower(): str(value or "") for key, value in options.items()}
    if given.get("type") == "tmpfs" and given.get("device") in (None, "tmpfs"):
        return ""
    named = [key for key in ("type", "device", "o") if given.get(key)]
    return f"the driver's option {' and '.join(named)}" if named else ""


@resource_rule(
    "container",
    severity="critical",
    level="mandatory",
    cis=("5.32",),
    also=("KSV-0006",),
    fix="remove the mount: access to the engine is root access to the host",
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
    fix="use a named volume that is seeded with the required files",
)
def no_host_paths(container: Resource) -> Iterator[str]:
    """Checks whether no system folder of the host is mounted."""
    for source, target in container.binds:
        path = _clean(source)
        if any(_within(path, parent) or _within(parent, path) for parent in HOST_PATHS):
            yield f"host path {source} is mounted at {target}"
    for upload in container.each("uploads"):
        if upload.get("source"):
            yield f"host file {upload.get('source')} is copied to {upload.get('file')}"


@resource_rule(
    "volume",
    "container",
    severity="high",
    level="mandatory",
    cis=("5.6",),
    fix="remove the driver and its options, so that the engine manages the volume",
)
def no_bind_volume(resource: Resource) -> Iterator[str]:
    """Checks whether no volume is a host or network mount in disguise, which would evade other rules."""
    if resource.kind == "volume":
        fault = _volume_fault(resource.get("driver"), resource.mapping("driverOpts"))
        if fault:
            yield f"{fault} lets the volume be a path on the host or the network"
        return
    for mount in resource.each("mounts"):
        options = mount.get("volumeOptions") or {}
        fault = _volume_fault(options.get("driverName"), options.get("driverOptions") or {})
        kind = str(mount.get("type")).lower()
        if kind not in MOUNT_TYPES:
            fault = f"type {kind}"
        if fault:
            yield f"{fault} lets the mount at {mount.get('target')} be a path on the host or the network"
    for volume in resource.each("volumes"):
        if volume.get("fromContainer"):
            yield f"all volumes of {volume.get('fromContainer')} are mounted"
    if resource.text("volumeDriver") not in ("", "local"):
        yield f"driver {resource.text('volumeDriver')} provides its volumes"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.10",),
    also=("KSV-0009",),
    fix="attach the container to the segments of its flows instead",
)
def no_host_network(container: Resource) -> Iterator[str]:
    """Checks whether a container has its own network namespace rather than the host's."""
    if container.text("networkMode") == "host" or "host" in container.networks:
        yield "networkMode is host"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    fix="attach the container to the segments of its flows instead",
)
def no_joined_netns(container: Resource) -> Iterator[str]:
    """Checks whether a container does not join another container's network namespace."""
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
        yield "pidMode shares processes with the host or with another container"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.17",),
    also=("KSV-0008",),
    fix='remove ipcMode or set it to "private"',
)
def no_host_ipc(container: Resource) -> Iterator[str]:
    """Checks whether a container has its own shared memory."""
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
    """Checks whether a container cannot change the host's name (live only)."""
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
    """Checks whether a container stays in the control group that the engine assigns to it."""
    if container.text("cgroupParent"):
        yield "cgroupParent is set"
    if container.text("cgroupnsMode") == "host" and container.source != "live":
        # An engine on cgroup v1 reports "host" for every container: only a requested one counts.
        yield "cgroupnsMode is host"


@resource_rule(
    "container",
    severity="high",
    level="mandatory",
    cis=("5.20",),
    fix='remove the propagation or set it to "rprivate"',
)
def no_shared_propagation(container: Resource) -> Iterator[str]:
    """Checks whether mounts made inside a container do not propagate to the host."""
    for mount in container.each("mounts"):
        propagation = str((mount.get("bindOptions") or {}).get("propagation") or "")
        if propagation in ("shared", "rshared"):
            yield f"the mount at {mount.get('target')} has propagation {propagation}"


@resource_rule(
    "container",
    "buildfile",
    severity="high",
    level="mandatory",
    cis=("5.18",),
    fix="remove it; compute nodes get GPUs through deviceRequests",
)
def gpu_scope(container: Resource) -> Iterator[str]:
    """Checks whether no container has host devices, and only compute nodes have GPUs, by name."""
    if container.kind == "buildfile":
        for instruction in instructions(container, "ENV", "ARG"):
            words = instruction.words
            pairs = [word.partition("=")[::2] for word in words]
            if words and "=" not in words[0]:
                pairs = [(words[0], " ".join(words[1:]) or "(later)")]
            for fault in _loads(pairs):
                yield at(instruction, fault)
        return
    for device in container.each("devices"):
        yield f"host device {device.get('hostPath')} is passed in"
    for rule in container.each("deviceCgroupRules"):
        yield f"the device rule {rule} opens host devices"
    if container.text("gpus"):
        yield "gpus is set, which passes in all GPUs"
    requests = list(container.each("deviceRequests"))
    for driver in sorted({str(r.get("driver") or "nvidia") for r in requests} - {"nvidia", "cdi"}):
        yield f"a device of the driver {driver} is passed in"
    # By its CDI name anything of the host can be passed in: files, hooks, devices of any kind.
    named = [str(device) for r in requests for device in r.get("deviceIds") or ()]
    cdi = any(r.get("driver") == "cdi" for r in requests)
    for device in named:
        if ("=" in device or cdi) and ONE_CDI.fullmatch(device) is None:
            yield f"the device {device} is not one GPU"
    gpu = bool(requests)
    if (gpu or container.text("runtime") == "nvidia") and container.role not in GPU_ROLES:
        yield f"role {container.role or '(none)'} requests GPUs"
    yield from _loads(container.environment)
    targets = [str(m.get("target")) for m in container.each("mounts")]
    targets += [str(v.get("containerPath")) for v in container.each("volumes")]
    if any(GPU_FOLDER in target for target in targets):
        yield "a mount requests GPUs"


def _loads(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Variables that give access to GPUs, or inject code into the program that does."""
    for name, value in variables:
        if name in LOADERS or (GPU_VARIABLE.fullmatch(name) and value.strip() not in NO_GPUS):
            yield f"{name} is set"


@resource_rule(
    "other",
    severity="high",
    level="mandatory",
    fix="declare it as a container, network or volume, or add its type to policies/rules/isolation.py",
)
def known_type(resource: Resource) -> Iterator[str]:
    """Checks whether no resource evades the rules by having a type that none of them checks."""
    if resource.type not in KINDS and OTHER_TYPES.fullmatch(resource.type) is None:
        yield f"no rule checks the type {resource.type}"
