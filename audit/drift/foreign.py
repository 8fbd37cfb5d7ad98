"""What uses the stack's networks, volumes and namespaces without being part of the stack. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from audit.engine.host import ForeignProcess
from audit.engine.snapshot import Snapshot, name_of
from audit.verdicts import Row, judged, plural


def containers(snapshot: Snapshot) -> list[str]:
    """Containers without the stack's label on its networks, in its namespaces, or with its volumes."""
    networks = {n["Name"] for n in snapshot.networks}
    volumes = {v["Name"] for v in snapshot.volumes}
    joined = {f"container:{c['Id']}": name_of(c) for c in snapshot.containers}
    faults = []
    for other in snapshot.others:
        name, host = name_of(other), other["HostConfig"]
        attached = networks & set(other["NetworkSettings"].get("Networks") or {})
        faults += [f"container {name} is on {network}" for network in sorted(attached)]
        for setting in ("NetworkMode", "PidMode", "IpcMode"):
            target = joined.get(str(host.get(setting) or ""))
            if target:
                faults.append(f"container {name} shares {setting.removesuffix('Mode').lower()} with {target}")
        mounted = {str(m.get("Name")) for m in other.get("Mounts") or () if m.get("Type") == "volume"}
        faults += [f"container {name} mounts {volume}" for volume in sorted(volumes & mounted)]
    return faults


def endpoints(snapshot: Snapshot) -> list[str]:
    """Endpoints that a network lists and no known container has, such as those of swarm tasks."""
    known = {c["Id"] for c in (*snapshot.containers, *snapshot.others)}
    return [
        f"endpoint {value.get('Name')} is on {network['Name']}"
        for network in snapshot.networks
        for identifier, value in (network.get("Containers") or {}).items()
        if identifier not in known
    ]


def unknown_interfaces(ports: Mapping[str, Mapping[str, int]], peers: Iterable[int]) -> list[str]:
    """`ports`: bridge → interface on it → its index; `peers`: indices at which containers' interfaces end."""
    known = set(peers)
    return [
        f"interface {name} is on {bridge}"
        for bridge, members in ports.items()
        for name, index in members.items()
        if index not in known
    ]


def rows(
    attachments: Sequence[str], processes: Sequence[ForeignProcess] | None, ports: Sequence[str] | None
) -> list[Row]:
    """`processes` and `ports` are None where the host's processes and interfaces cannot be read."""
    made = [
        judged(
            "only the stack is on its networks and volumes",
            attachments,
            "no container without its label is attached",
            plural(len(attachments), "foreign attachment"),
            "docker network disconnect NETWORK CONTAINER, or remove the container, if nobody needs it there",
        )
    ]
    for name, found, good, bad, fix in (
        (
            "no foreign process is in a container's network",
            None if processes is None else [str(process) for process in processes],
            "every process there is the container's own",
            "foreign process",
            "check what it is (ps -p PID -f) and end it",
        ),
        (
            "every interface on the stack's bridges is a container's",
            ports,
            "all known",
            "unknown interface",
            "check what it belongs to (ip -d link show NAME) and remove it from the bridge",
        ),
    ):
        if found is None:
            made.append(Row(name, "not checked", "needs root on the engine's host"))
        else:
            made.append(judged(name, found, good, plural(len(found), bad), fix))
    return made
