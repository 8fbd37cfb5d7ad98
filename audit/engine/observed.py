"""What the engine says of a container, network or volume, in the fields of `fields`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.engine.fields import (
    DEFAULT_LOGS,
    DEFAULT_RUNTIME,
    MIB,
    NANO,
    NO_NETWORK,
    Fields,
    access,
    binding,
    capability_names,
    device_request,
    flag,
    limit,
    listed,
    number,
    option,
    prefixed,
    present,
    words,
)
from components.runtime.labels import KIND

Inspected = Mapping[str, Any]


def container(inspected: Inspected) -> Fields:
    """The fields of `docker inspect CONTAINER`."""
    config, host = inspected["Config"], inspected["HostConfig"]
    restart, logs = host.get("RestartPolicy") or {}, host.get("LogConfig") or {}
    mode = host.get("NetworkMode") or ""
    attached = {
        name: value
        for name, value in (inspected["NetworkSettings"].get("Networks") or {}).items()
        if name not in NO_NETWORK
    }
    return present(
        {
            "image": config["Image"],
            "user": config.get("User") or "",
            "hostname": config.get("Hostname") or "",
            "network mode": mode if mode in NO_NETWORK or mode.startswith("container:") else "",
            "read-only root": flag(host.get("ReadonlyRootfs")),
            "privileged": flag(host.get("Privileged")),
            "init": flag(host.get("Init")),
            "capabilities added": capability_names(host.get("CapAdd")),
            "capabilities dropped": capability_names(host.get("CapDrop")),
            "security options": listed(option(o) for o in host.get("SecurityOpt") or ()),
            "dns": listed(host.get("Dns") or ()),
            "hosts added": listed(host.get("ExtraHosts") or ()),
            "publish all ports": flag(host.get("PublishAllPorts")),
            "groups added": listed(host.get("GroupAdd") or ()),
            "memory MiB": number((host.get("Memory") or 0) / MIB),
            "memory and swap MiB": number((host.get("MemorySwap") or 0) / MIB),
            "shared memory MiB": number((host.get("ShmSize") or 0) / MIB),
            "cpus": number((host.get("NanoCpus") or 0) / NANO),
            "processes at most": number(max(0, host.get("PidsLimit") or 0)),
            "restart": restart.get("Name") or "no",
            "restarts at most": number(restart.get("MaximumRetryCount")),
            "stop timeout s": number(config.get("StopTimeout")),
            "log driver": logs.get("Type") or DEFAULT_LOGS,
            "pid mode": host.get("PidMode") or "",
            "ipc mode": host.get("IpcMode") or "private",
            "user namespace": host.get("UsernsMode") or "",
            "cgroup parent": host.get("CgroupParent") or "",
            "runtime": host.get("Runtime") or DEFAULT_RUNTIME,
            "devices": listed(d["PathOnHost"] for d in host.get("Devices") or ()),
            "device requests": listed(
                device_request(q.get("Driver"), q.get("DeviceIDs"), q.get("Capabilities"))
                for q in host.get("DeviceRequests") or ()
            ),
            "published": listed(_bindings(host.get("PortBindings") or {})),
            "runs": _runs(inspected),
            **inherited(config),
            **prefixed("mounts", {m["Destination"]: _mount(m) for m in inspected.get("Mounts") or ()}),
            **prefixed("networks", {name: _address(value) for name, value in attached.items()}),
            **prefixed("aliases", {n: _aliases(v, inspected["Id"]) for n, v in attached.items()}),
            **prefixed("tmpfs", {k: listed(v.split(",")) for k, v in (host.get("Tmpfs") or {}).items()}),
            **prefixed("sysctls", host.get("Sysctls") or {}),
            **prefixed("log options", logs.get("Config") or {}),
            **prefixed(
                "ulimits", {u["Name"]: limit(u["Soft"], u["Hard"]) for u in host.get("Ulimits") or ()}
            ),
        }
    )


def inherited(config: Inspected) -> Fields:
    """What a container takes from its image unless told otherwise; the `Config` of either has it."""
    health = config.get("Healthcheck") or {}
    environment = dict(item.partition("=")[::2] for item in config.get("Env") or ())
    return present(
        {
            "command": words(config.get("Cmd") or ()),
            "entrypoint": words(config.get("Entrypoint") or ()),
            "health check": words(health.get("Test") or ()),
            "health interval s": number((health.get("Interval") or 0) / NANO),
            "health timeout s": number((health.get("Timeout") or 0) / NANO),
            "health start period s": number((health.get("StartPeriod") or 0) / NANO),
            "health retries": number(health.get("Retries")),
            **prefixed("env", environment),
            **prefixed("labels", config.get("Labels") or {}),
        }
    )


def network(inspected: Inspected) -> Fields:
    """The fields of `docker network inspect`."""
    subnets = (inspected.get("IPAM") or {}).get("Config") or ()
    return present(
        {
            "driver": inspected.get("Driver") or "",
            "internal": flag(inspected.get("Internal")),
            "IPv6": flag(inspected.get("EnableIPv6")),
            **prefixed("subnets", {s["Subnet"]: s.get("Gateway") or "" for s in subnets}),
            **prefixed("options", inspected.get("Options") or {}),
            **prefixed("labels", inspected.get("Labels") or {}),
        }
    )


def volume(inspected: Inspected) -> Fields:
    """The fields of `docker volume inspect`."""
    options = prefixed("driver options", inspected.get("Options") or {})
    return {
        "driver": inspected.get("Driver") or "",
        **options,
        **prefixed("labels", inspected.get("Labels") or {}),
    }


def _runs(inspected: Inspected) -> str:
    """A job may have ended; a service must be running; a seed must never have been started."""
    status = inspected["State"]["Status"]
    if status == "created":
        return "never"
    if status == "running" or (inspected["Config"].get("Labels") or {}).get(KIND) == "job":
        return "yes"
    return f"no: {status}"


def _mount(mount: Inspected) -> str:
    source = mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source")
    return f"{mount.get('Type')} {source}, {access(bool(mount.get('RW')))}"


def _address(attachment: Inspected) -> str:
    """The address in use; of a container that does not run, the one that was asked for."""
    used = attachment.get("IPAddress") or (attachment.get("IPAMConfig") or {}).get("IPv4Address") or ""
    second = attachment.get("GlobalIPv6Address")
    return f"{used} {second}" if second else str(used)


def _aliases(attachment: Inspected, identifier: str) -> str:
    """Without the short id that the engine adds by itself."""
    return listed(a for a in attachment.get("Aliases") or () if a != identifier[:12])


def _bindings(ports: Inspected) -> list[str]:
    return [
        binding(b.get("HostIp"), b.get("HostPort"), port.partition("/")[0], port.partition("/")[2])
        for port, published in ports.items()
        for b in published or ()
    ]
