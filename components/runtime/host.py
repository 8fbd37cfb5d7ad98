"""The size of the engine's machine: the one place on the planning side that reads it.

The engine's figures count, because it enforces them: it may be on another machine, or see only part of this
one. If no engine answers, this machine's own figures are used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.planning.config import HostFacts
from components.planning.gpus import ONE_CDI, WHOLE
from components.planning.issues import Issue
from components.runtime.detached import is_detached

# Set to `unknown` where the plan is checked on another machine than the one that will run it, as in CI.
VARIABLE = "AIDC_HOST"
PATIENCE = 5  # seconds
# Settings of Pulumi's Docker provider, which alone reads them.
PROVIDER_KEYS = (
    *("host", "context", "certPath", "caMaterial", "certMaterial", "keyMaterial", "sshOpts", "registryAuth"),
    "disableDockerDaemonCheck",
)
ONE_ENGINE = "Pulumi's provider alone goes by it, and all else would look at another engine"
ONE_ENGINE_FIX = "remove it, and name the engine in the environment: DOCKER_HOST=unix:///run/docker.sock"


def host_facts() -> HostFacts | None:
    """CPUs, memory in bytes and GPUs of the engine's machine.

    None in a detached plan, and when AIDC_HOST is `unknown`.
    """
    if is_detached() or os.environ.get(VARIABLE) == "unknown":
        return None
    info, local = _ask_engine()
    return facts(info, local=local)


def misled(setting: Callable[[str], object], environment: Mapping[str, str]) -> list[Issue]:
    """What would have the provider use another engine than all else; `setting` reads a key of `docker:`."""
    given = [f"config.docker:{key}" for key in PROVIDER_KEYS if setting(key) is not None]
    if environment.get("DOCKER_CONTEXT", "") not in ("", "default"):
        given.append("DOCKER_CONTEXT")
    return [Issue(path, ONE_ENGINE, ONE_ENGINE_FIX) for path in given]


def facts(info: Mapping[str, Any] | None, *, local: bool, root: Path = Path("/")) -> HostFacts:
    """`info` is the engine's, None if none answers; `root` is this machine's file system."""
    cpus, memory = os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if info:
        cpus, memory = int(info.get("NCPU") or cpus), int(info.get("MemTotal") or memory)
    listed = cdi_gpus(info or {})
    if not local:
        # Without a list of devices a remote engine does not say how many GPUs it has.
        whole = [name for name in listed if name.rpartition("=")[2].isdigit()]
        return HostFacts(cpus, memory, len(whole) or None, cdi=frozenset(listed))
    files = [p for p in root.glob("dev/nvidia[0-9]*") if p.name.removeprefix("nvidia").isdigit()]
    # By their places on the bus, as nvidia-smi numbers them.
    known = sorted(root.glob("proc/driver/nvidia/gpus/*"))
    uuids = tuple(_uuid(folder / "information") for folder in known)
    return HostFacts(
        cpus,
        memory,
        len(files),
        asleep=max(0, len(known) - len(files)),
        uuids=uuids if all(uuids) else (),
        cdi=frozenset(listed),
    )


def cdi_gpus(info: Mapping[str, Any]) -> list[str]:
    """GPUs and MIG slices with a CDI description on the engine, such as `nvidia.com/gpu=0`."""
    devices = [str(d.get("ID", "")) for d in info.get("DiscoveredDevices") or () if isinstance(d, Mapping)]
    return [d for d in devices if ONE_CDI.fullmatch(d)]


def _uuid(information: Path) -> str:
    """The GPU's UUID as the kernel's driver tells it; empty where it does not, as before its first use."""
    try:
        found = re.search(rf"^GPU UUID:\s+({WHOLE.pattern})\s*$", information.read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def is_local(base_url: str) -> bool:
    """Whether an engine's ports, routes and disks are this machine's. `base_url` is the SDK's."""
    # A connection by SSH reads http+docker://ssh.
    return base_url.startswith(("http+docker://local", "unix://"))


def _ask_engine() -> tuple[Mapping[str, Any] | None, bool]:
    """The engine's report on its machine, and whether that is this one; (None, True) without an answer."""
    import docker  # noqa: PLC0415  (a fifth of a second, which a plan without a host can save)
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = docker.from_env(timeout=PATIENCE)
        return client.info(), is_local(str(client.api.base_url))
    except (DockerException, OSError, ValueError):
        return None, True
