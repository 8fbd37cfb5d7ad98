"""Running containers, networks and volumes in the shape that the rules know: `docker inspect`, translated.

Keys are the provider's, so that rules and the audit's comparison read them like a plan's. What the engine
fills in by itself is left out where it means "not asked for". What only the provider knows
(`destroyGraceSeconds`) is not there; rules see by `source` that they cannot expect it.

Three keys are ours, for what no plan can say: `configured` (the command line's two parts, which `command`
joins), `status` (the container's state), and `addressesInUse` of a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.planning.units import MIB
from policies.model import Resource
from policies.sources.stacks import SourceError

NANO = 10**9


def running(stack: str) -> tuple[Resource, ...]:
    """Everything on the engine with the stack's label, including stopped and never started containers.

    Raises:
        SourceError: the engine does not answer, or holds no resources of the stack.
    """
    import docker  # noqa: PLC0415  (a plan and exported state need no engine)

    label: dict[str, Any] = {"label": f"aidc.stack={stack}"}
    try:
        client = docker.from_env()
        containers = client.containers.list(all=True, filters=label, ignore_removed=True)
        networks, volumes = client.networks.list(filters=label), client.volumes.list(filters=label)
        about = client.info()
    except docker.errors.DockerException as error:
        raise SourceError(f"the engine does not answer ({error}). Fix: make doctor") from error
    found = (
        *(container(item.attrs) for item in containers),
        *(network(item.attrs) for item in networks),
        *(volume(item.attrs) for item in volumes),
    )
    if not found:
        raise SourceError(f"the engine holds no resources of stack {stack}. Fix: make up STACK={stack}")
    return (*found, engine(about))


def engine(about: Mapping[str, Any]) -> Resource:
    """The engine itself, as `docker info` describes it."""
    swarm = (about.get("Swarm") or {}).get("LocalNodeState") or ""
    registries = (about.get("RegistryConfig") or {}).get("InsecureRegistryCIDRs") or ()
    named = (about.get("RegistryConfig") or {}).get("IndexConfigs") or {}
    props = {
        "swarm": swarm,
        "insecureRegistries": [
            *registries,
            *(name for name, of in named.items() if not of.get("Secure", True)),
        ],
        "storageDriver": about.get("Driver") or "",
        "experimental": bool(about.get("ExperimentalBuild")),
    }
    return Resource("engine", "engine", props, source="live")


def container(inspected: Mapping[str, Any]) -> Resource:
    """A container as `docker inspect` describes it."""
    config, host = inspected["Config"], inspected["HostConfig"]
    restart = host.get("RestartPolicy") or {}
    logs = host.get("LogConfig") or {}
    attached = inspected["NetworkSettings"].get("Networks") or {}
    mode = host.get("NetworkMode") or ""
    asked = {m.get("Target"): m.get("VolumeOptions") or {} for m in host.get("Mounts") or ()}
    props = {
        "image": config["Image"],
        "user": config.get("User") or "",
        "hostname": config.get("Hostname") or "",
        **_defaults(config),
        "command": [inspected.get("Path"), *(inspected.get("Args") or ())],
        "stopTimeout": config.get("StopTimeout"),
        "init": host.get("Init"),
        "privileged": host.get("Privileged"),
        "readOnly": host.get("ReadonlyRootfs"),
        "capabilities": {"adds": host.get("CapAdd") or [], "drops": host.get("CapDrop") or []},
        "securityOpts": host.get("SecurityOpt") or [],
        "memory": (host.get("Memory") or 0) / MIB,
        "memorySwap": (host.get("MemorySwap") or 0) / MIB,
        "shmSize": (host.get("ShmSize") or 0) / MIB,
        "cpus": (host.get("NanoCpus") or 0) / NANO,
        "pidsLimit": host.get("PidsLimit") or 0,
        "cpuQuota": host.get("CpuQuota"),
        "cpuSet": host.get("CpusetCpus"),
        "tmpfs": host.get("Tmpfs") or {},
        "ulimits": [
            {"name": u["Name"], "soft": u.get("Soft"), "hard": u["Hard"]} for u in host.get("Ulimits") or ()
        ],
        "sysctls": host.get("Sysctls") or {},
        "dns": host.get("Dns") or [],
        "hosts": [_host(entry) for entry in host.get("ExtraHosts") or ()],
        "restart": restart.get("Name") or "no",
        "maxRetryCount": restart.get("MaximumRetryCount"),
        "logDriver": logs.get("Type"),
        "logOpts": logs.get("Config") or {},
        "networkMode": mode,
        # A seed's "none" and a firewall's "host" are not networks that it shares with other containers.
        "networksAdvanced": [
            {"name": n, **_attachment(a, inspected["Id"])}
            for n, a in attached.items()
            if n not in ("none", "host")
        ],
        "ports": _ports(host.get("PortBindings") or {}),
        "publishAllPorts": host.get("PublishAllPorts"),
        "mounts": [_mount(m, asked) for m in inspected.get("Mounts") or ()],
        "volumes": [{"fromContainer": name} for name in host.get("VolumesFrom") or ()],
        "volumeDriver": host.get("VolumeDriver") or "",
        "pidMode": host.get("PidMode") or "",
        "ipcMode": host.get("IpcMode") or "",
        "usernsMode": host.get("UsernsMode") or "",
        "utsMode": host.get("UTSMode") or "",
        "cgroupParent": host.get("CgroupParent") or "",
        "deviceCgroupRules": host.get("DeviceCgroupRules") or [],
        "groupAdds": host.get("GroupAdd") or [],
        "devices": [{"hostPath": d["PathOnHost"]} for d in host.get("Devices") or ()],
        "deviceRequests": [
            {
                "driver": q.get("Driver"),
                "deviceIds": q.get("DeviceIDs"),
                "capabilities": q.get("Capabilities"),
            }
            for q in host.get("DeviceRequests") or ()
        ],
        "runtime": host.get("Runtime"),
        # Only a container that never ran counts as not started.
        "start": inspected["State"]["Status"] != "created",
        "status": inspected["State"]["Status"],
    }
    return Resource("container", inspected["Name"].lstrip("/"), props, inspected["Id"], "live")


def image(reference: str, config: Mapping[str, Any]) -> Resource:
    """What an image gives to its containers: the `Config` of `docker image inspect`."""
    return Resource("image", reference, {"name": reference, **_defaults(config)}, source="live")


def network(inspected: Mapping[str, Any]) -> Resource:
    """A network as `docker network inspect` describes it."""
    subnets = (inspected.get("IPAM") or {}).get("Config") or ()
    props = {
        "driver": inspected.get("Driver") or "",
        "internal": inspected.get("Internal"),
        "ipv6": inspected.get("EnableIPv6"),
        "ipamConfigs": [{"subnet": s.get("Subnet"), "gateway": s.get("Gateway")} for s in subnets],
        "options": inspected.get("Options") or {},
        "labels": _labels(inspected.get("Labels")),
    }
    return Resource("network", inspected["Name"], props, inspected["Id"], "live")


def volume(inspected: Mapping[str, Any]) -> Resource:
    """A volume as `docker volume inspect` describes it."""
    props = {
        "driver": inspected.get("Driver") or "",
        "driverOpts": inspected.get("Options") or {},
        "labels": _labels(inspected.get("Labels")),
    }
    return Resource("volume", inspected["Name"], props, inspected["Name"], "live")


def _labels(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"label": key, "value": value} for key, value in (labels or {}).items()]


def _defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a container takes from its image unless told otherwise; the `Config` of either has it."""
    health = config.get("Healthcheck") or {}
    return {
        "configured": {"command": config.get("Cmd") or [], "entrypoints": config.get("Entrypoint") or []},
        "envs": config.get("Env") or [],
        "labels": _labels(config.get("Labels")),
        "healthcheck": {
            "tests": health.get("Test") or [],
            "interval": _duration(health.get("Interval")),
            "timeout": _duration(health.get("Timeout")),
            "startPeriod": _duration(health.get("StartPeriod")),
            "retries": health.get("Retries"),
        },
    }


def _duration(nanoseconds: int | None) -> str:
    """The engine's nanoseconds in seconds, as the provider writes a time; empty for none."""
    return f"{nanoseconds / NANO:f}s" if nanoseconds else ""


def _host(entry: str) -> dict[str, str]:
    """`name:address`; an IPv6 address has colons of its own."""
    name, _, address = entry.partition(":")
    return {"host": name, "ip": address}


def _attachment(attachment: Mapping[str, Any], identifier: str) -> dict[str, Any]:
    """The IPv4 address that was asked for, any IPv6 address, and the addresses in use.

    `identifier` is the container's: the engine adds its short form to the aliases by itself.
    """
    asked = (attachment.get("IPAMConfig") or {}).get("IPv4Address") or ""
    second = attachment.get("GlobalIPv6Address") or ""
    # A container that is not running uses none; what it asked for is what it will get.
    used = attachment.get("IPAddress") or asked
    return {
        "ipv4Address": asked,
        "ipv6Address": second,
        "addressesInUse": [address for address in (used, second) if address],
        "aliases": [alias for alias in attachment.get("Aliases") or () if alias != identifier[:12]],
    }


def _ports(bindings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "internal": port.partition("/")[0],
            "protocol": port.partition("/")[2],
            "ip": binding.get("HostIp"),
            "external": binding.get("HostPort") or 0,
        }
        for port, published in bindings.items()
        for binding in published or ()
    ]


def _mount(mount: Mapping[str, Any], asked: Mapping[Any, Any]) -> dict[str, Any]:
    """A mount; `asked` are the options of volumes that were made for a container, by target."""
    driver = (asked.get(mount.get("Destination")) or {}).get("DriverConfig") or {}
    return {
        "type": mount.get("Type"),
        "source": mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source"),
        "target": mount.get("Destination"),
        "readOnly": not mount.get("RW"),
        "bindOptions": {"propagation": mount.get("Propagation") or ""},
        "volumeOptions": {
            "driverName": driver.get("Name") or mount.get("Driver") or "",
            "driverOptions": driver.get("Options") or {},
        },
    }
