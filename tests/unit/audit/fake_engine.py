"""A stand-in for an engine that made exactly what a plan says: `docker inspect` of every planned resource."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from typing import Any

from docker.errors import NotFound

from audit.engine.fields import seconds
from policies.model import Resource

MIB, NANO = 2**20, 10**9


def container(resource: Resource, index: int) -> dict[str, Any]:
    health = resource.mapping("healthcheck")
    seed = resource.is_seed
    status = "created" if seed else "exited" if resource.is_job else "running"
    return {
        "Id": hashlib.sha256(resource.name.encode()).hexdigest(),
        "Name": f"/{resource.name}",
        "Path": next(resource.each("command")),
        "Args": list(resource.each("command"))[1:],
        "State": {"Status": status, "Running": status == "running", "Pid": 1000 + index},
        "Config": {
            "Image": resource.text("image"),
            "User": resource.text("user"),
            "Hostname": resource.text("hostname") or "0123456789ab",
            "Cmd": list(resource.each("command")),
            "Env": [*resource.each("envs"), "PATH=/usr/bin"],
            "Labels": {i["label"]: i["value"] for i in resource.each("labels")},
            "StopTimeout": resource.get("stopTimeout"),
            "Healthcheck": health
            and {
                "Test": list(health["tests"]),
                "Interval": seconds(health["interval"]) * NANO,
                "Timeout": seconds(health["timeout"]) * NANO,
                "StartPeriod": seconds(health["startPeriod"]) * NANO,
                "Retries": health["retries"],
            },
        },
        "HostConfig": _host(resource),
        "Mounts": [
            {"Type": m["type"], "Name": m["source"], "Destination": m["target"], "RW": not m.get("readOnly")}
            for m in resource.each("mounts")
        ],
        "NetworkSettings": {
            "Networks": {
                n["name"]: {
                    "IPAMConfig": {"IPv4Address": n["ipv4Address"]},
                    "IPAddress": n["ipv4Address"] if status == "running" else "",
                    "Aliases": list(n["aliases"]),
                }
                for n in resource.each("networksAdvanced")
            }
        },
    }


def _host(resource: Resource) -> dict[str, Any]:
    ports: dict[str, list[dict[str, str]]] = {}
    for port in resource.each("ports"):
        published = {"HostIp": port["ip"], "HostPort": str(int(port["external"]))}
        ports.setdefault(f"{int(port['internal'])}/{port['protocol']}", []).append(published)
    capabilities = resource.mapping("capabilities")
    return {
        # Without a mode of its own a container's is the name of its first network.
        "NetworkMode": resource.text("networkMode") or next(iter(resource.networks), ""),
        "Init": resource.get("init"),
        "ReadonlyRootfs": bool(resource.get("readOnly")),
        "CapAdd": list(capabilities.get("adds") or ()),
        "CapDrop": list(capabilities.get("drops") or ()),
        "SecurityOpt": list(resource.each("securityOpts")),
        "Memory": int(resource.number("memory")) * MIB,
        "MemorySwap": int(resource.number("memorySwap")) * MIB,
        "NanoCpus": int(resource.number("cpus") * NANO),
        "ShmSize": int(resource.number("shmSize") or 64) * MIB,
        "Ulimits": [
            {"Name": u["name"], "Soft": u["soft"], "Hard": u["hard"]} for u in resource.each("ulimits")
        ],
        "Sysctls": dict(resource.mapping("sysctls")),
        "Tmpfs": dict(resource.mapping("tmpfs")),
        "PortBindings": ports,
        "RestartPolicy": {"Name": resource.text("restart"), "MaximumRetryCount": 0},
        "LogConfig": {"Type": resource.text("logDriver"), "Config": dict(resource.mapping("logOpts"))},
        "IpcMode": "private",
        "Runtime": "runc",
        "Dns": list(resource.each("dns")),
    }


def network(resource: Resource) -> dict[str, Any]:
    return {
        "Id": hashlib.sha256(resource.name.encode()).hexdigest(),
        "Name": resource.name,
        "Driver": resource.text("driver"),
        "Internal": resource.get("internal"),
        "EnableIPv6": resource.get("ipv6"),
        "IPAM": {
            "Config": [{"Subnet": c["subnet"], "Gateway": c["gateway"]} for c in resource.each("ipamConfigs")]
        },
        "Options": dict(resource.mapping("options")),
        "Labels": {i["label"]: i["value"] for i in resource.each("labels")},
    }


def volume(resource: Resource) -> dict[str, Any]:
    labels = {i["label"]: i["value"] for i in resource.each("labels")}
    return {"Name": resource.name, "Driver": "local", "Options": None, "Labels": labels}


class Api:
    """The calls that the audit makes; `containers_` and the others are plain lists to plant faults in."""

    def __init__(self, plan: Sequence[Resource]) -> None:
        found = [r for r in plan if r.kind == "container"]
        self.containers_ = [container(r, i) for i, r in enumerate(found)]
        limits = {r.text("container"): int(r.number("processes")) for r in plan if r.kind == "limit"}
        for made in self.containers_:
            made["HostConfig"]["PidsLimit"] = limits.get(made["Name"].lstrip("/"))
        self.networks_ = [network(r) for r in plan if r.kind == "network"]
        self.volumes_ = [volume(r) for r in plan if r.kind == "volume"]
        self.uploads = {r.name: list(r.each("uploads")) for r in found if r.is_seed}

    def one(self, name: str) -> dict[str, Any]:
        """A container to change."""
        return next(c for c in self.containers_ if c["Name"] == f"/{name}")

    def info(self) -> dict[str, Any]:
        return {"Swarm": {"LocalNodeState": "inactive"}}

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return self.containers_

    def inspect_container(self, identifier: str) -> dict[str, Any]:
        return next(c for c in self.containers_ if c["Id"] == identifier)

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return self.networks_

    def inspect_network(self, identifier: str) -> dict[str, Any]:
        return next(n for n in self.networks_ if n["Id"] == identifier)

    def volumes(self, **_: Any) -> dict[str, Any]:
        return {"Volumes": self.volumes_}

    def inspect_image(self, reference: str) -> dict[str, Any]:
        if not reference.startswith("aidc-"):
            raise NotFound("no such image")
        return {"Config": {"Env": ["PATH=/usr/bin"]}}

    def get_archive(self, name: str, path: str) -> tuple[list[bytes], dict[str, Any]]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for upload in self.uploads[name]:
                member = tarfile.TarInfo(upload["file"].lstrip("/"))
                content = upload["content"].encode()
                member.size, member.mode = len(content), int(upload["permissions"], 8)
                member.uid, member.gid = int(upload["owner"]), int(upload["group"])
                archive.addfile(member, io.BytesIO(content))
        return [buffer.getvalue()], {}
