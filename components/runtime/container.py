"""One hardened way to declare a container. Every service of the stack goes through `run`.

Non-root, read-only root, no capabilities, no new privileges, limits, capped logs, graceful stop: a component
states what its service needs beyond that, and the policies check each exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import pulumi
import pulumi_docker as docker

from components.planning.gpus import request
from components.planning.logs import options
from components.planning.plan import Plan, Service
from components.planning.units import MIB, cpus_text
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, FileVolume
from components.runtime.labels import labels
from components.runtime.limits import ProcessLimit


class Logging(TypedDict):
    """Arguments of a container."""

    log_driver: str
    log_opts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Health:
    """A check inside the container. Times in seconds; failures within `start_period` do not count."""

    command: tuple[str, ...]
    interval: int = 5
    timeout: int = 4
    retries: int = 6
    start_period: int = 60


@dataclass(frozen=True, kw_only=True)
class Process:
    """What a service runs, as which numeric user, and within which limits.

    `memory` and `shm` in bytes; `processes` also counts threads, of this container alone.
    """

    image: str
    command: Sequence[str]
    user: str
    memory: int
    cpus: float
    health: Health | None
    environment: Mapping[str, str] = field(default_factory=dict)
    files: FileVolume | None = None
    volumes: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    read_only_volumes: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[docker.ContainerPortArgs] = ()
    aliases: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    host_network: bool = False
    shm: int = 64 * MIB
    gpus: Sequence[int | str] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    processes: int = 512
    grace: int = 15
    job: bool = False


def run(
    context: Context,
    service: Service,
    process: Process,
    *,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource] = (),
) -> docker.Container:
    """Declare the container of `service`. A job runs once and is not restarted."""
    plan = context.plan
    waits = [*context.behind, *depends_on, *([process.files] if process.files else [])]
    container = docker.Container(
        service.name,
        name=service.container,
        hostname=service.name if not process.host_network else None,
        image=process.image,
        command=list(process.command),
        user=process.user,
        init=True,
        read_only=True,
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(process.capabilities)),
        security_opts=["no-new-privileges:true"],
        memory=process.memory // MIB,
        # Equal to memory: no swap. With memory alone, every run would show a difference.
        memory_swap=process.memory // MIB,
        cpus=cpus_text(process.cpus),
        shm_size=process.shm // MIB,
        ulimits=[
            docker.ContainerUlimitArgs(name="nofile", soft=16384, hard=16384),
        ],
        sysctls={"net.ipv4.ip_forward": "0", **process.sysctls} if service.addresses else None,
        envs=[f"{key}={value}" for key, value in process.environment.items()],
        mounts=_mounts(process),
        tmpfs=dict(process.tmpfs),
        # Unset when networks are given: the provider would otherwise join the first with a dynamic address.
        network_mode=_network_mode(service, process),
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(
                name=plan.segment(segment).network,
                ipv4_address=address,
                aliases=[service.name, *process.aliases],
            )
            for segment, address in service.addresses.items()
        ],
        # The engine resolves the stack's own names. It would forward others, even out of internal networks
        # (CVE-2024-29018): here they go to a loopback address on which nothing listens.
        dns=["127.0.0.1"] if service.addresses else None,
        ports=list(process.ports),
        device_requests=_device_requests(process.gpus, context.cdi),
        healthcheck=_healthcheck(process.health),
        restart="no" if process.job else "unless-stopped",
        must_run=not process.job,
        destroy_grace_seconds=process.grace,
        stop_timeout=process.grace,
        **_logging(context.plan, service, process),
        labels=[
            docker.ContainerLabelArgs(label=label, value=value)
            for label, value in labels(
                plan.stack, kind="job" if process.job else "service", role=service.role
            ).items()
        ],
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=waits,
            # The provider would silently ignore a changed health check; names are unique, so delete first.
            replace_on_changes=["healthcheck"],
            delete_before_replace=True,
        ),
    )
    ProcessLimit(
        f"{service.name}-processes",
        container,
        service.container,
        process.processes,
        pulumi.ResourceOptions(parent=parent),
    )
    return container


def _network_mode(service: Service, process: Process) -> str | None:
    if process.host_network:
        return "host"
    # Without a flow a service has no segment, and must not get the engine's default network either.
    return None if service.addresses else "none"


def _logging(plan: Plan, service: Service, process: Process) -> Logging:
    """Where the engine puts what the service writes."""
    # The firewall is there before the networks: its datagrams would leave by another way, and it says little.
    if process.host_network:
        return {"log_driver": "json-file", "log_opts": {"max-size": "10m", "max-file": "3"}}
    return {"log_driver": "syslog", "log_opts": options(plan, service)}


def _mounts(process: Process) -> list[docker.ContainerMountArgs]:
    mounts = [
        docker.ContainerMountArgs(target=target, type="volume", source=source)
        for target, source in process.volumes.items()
    ]
    mounts += [
        docker.ContainerMountArgs(target=target, type="volume", source=source, read_only=True)
        for target, source in process.read_only_volumes.items()
    ]
    if process.files:
        source = process.files.volume
        mounts.append(
            docker.ContainerMountArgs(target=FILES_DIR, type="volume", source=source, read_only=True)
        )
    return mounts


def _device_requests(
    gpus: Sequence[int | str], cdi: frozenset[str]
) -> list[docker.ContainerDeviceRequestArgs]:
    if not gpus:
        return []
    asked = request(gpus, cdi)
    return [
        docker.ContainerDeviceRequestArgs(
            driver=asked.driver, device_ids=asked.devices, capabilities=asked.capabilities
        )
    ]


def _healthcheck(health: Health | None) -> docker.ContainerHealthcheckArgs | None:
    if health is None:
        return None
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *health.command],
        interval=duration(health.interval),
        timeout=duration(health.timeout),
        retries=health.retries,
        start_period=duration(health.start_period),
    )


def duration(seconds: int) -> str:
    """The engine's own spelling, "1m30s": any other would differ from what it reports, on every run."""
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"
