"""What an earlier run left in Pulumi's state: locks of dead processes, unfinished creations."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from components.planning.issues import Issue
from components.runtime.labels import KIND
from operations.engine.client import EngineResource

PROJECT = "aidc"
# Kinds of containers that only Pulumi creates, set by `run` and `FileVolume`.
PULUMI_KINDS = frozenset({"service", "job", "seed"})
NAME_INPUT = "name"
CONTAINER = "docker:index/container:Container"


@dataclass(frozen=True)
class Lock:
    """Another run's lock on the stack. `alive` is None when that cannot be determined from here."""

    path: Path
    pid: int
    host: str
    since: str
    alive: bool | None


def backend_folder(environment: Mapping[str, str]) -> Path | None:
    """Where a `file://` backend keeps its state; None for every other backend."""
    url = urlsplit(environment.get("PULUMI_BACKEND_URL", ""))
    if url.scheme != "file":
        return None
    return Path(unquote(url.netloc + url.path)).expanduser() / ".pulumi"


def locks(stack: str, environment: Mapping[str, str]) -> list[Lock]:
    """All locks on the stack. Only a file backend keeps them as files."""
    folder = backend_folder(environment)
    if folder is None:
        return []
    found = []
    for path in sorted((folder / "locks" / "organization" / PROJECT / stack).glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            pid, host = int(content["pid"]), str(content["hostname"])
        except (OSError, ValueError, KeyError):
            continue
        alive = _is_pulumi(pid) if host == socket.gethostname() else None
        found.append(Lock(path, pid, host, str(content.get("timestamp", "?"))[:19], alive))
    return found


def _is_pulumi(pid: int) -> bool:
    # The number alone is not enough: after a reboot it may belong to any process.
    try:
        name = os.readlink(f"/proc/{pid}/exe")
    except FileNotFoundError:
        return False
    except OSError:
        return _exists(pid)
    return Path(name.removesuffix(" (deleted)")).name.startswith("pulumi")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def lock_issues(found: Iterable[Lock], stack: str) -> list[Issue]:
    """Issues for locks that block this run; those of dead processes do not."""
    return [
        Issue(
            f"stack {stack}",
            f"is locked by another run (process {lock.pid} on {lock.host}, since {lock.since})",
            "wait for it, or stop it with Ctrl-C"
            if lock.alive
            else f"if that process has ended: pulumi cancel --yes --stack {stack}",
        )
        for lock in found
        if lock.alive is not False
    ]


def recorded(exported: Mapping[str, Any] | None) -> frozenset[str]:
    """Identifiers of all resources in the state."""
    resources = (exported or {}).get("deployment", {}).get("resources") or ()
    return frozenset(str(r["id"]) for r in resources if r.get("id"))


@dataclass(frozen=True)
class Attachment:
    """How a container was connected to a network: its fixed address there, if any, and its aliases."""

    address: str
    aliases: frozenset[str]


def attachments(exported: Mapping[str, Any] | None) -> dict[str, dict[str, Attachment]]:
    """Identifier of each container in the state → network → how it was connected."""
    resources = (exported or {}).get("deployment", {}).get("resources") or ()
    return {
        str(resource["id"]): {
            str(n["name"]): Attachment(str(n.get("ipv4Address") or ""), frozenset(n.get("aliases") or ()))
            for n in (resource.get("inputs") or {}).get("networksAdvanced") or ()
        }
        for resource in resources
        if resource.get("type") == CONTAINER and resource.get("id")
    }


def detached(wanted: Mapping[str, Attachment], networks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The networks of a container to which it is not connected any more as it was created.

    `networks` is the engine's description of the container. A stopped container has no current address, only
    the configured one.
    """

    def intact(attachment: Attachment, found: Mapping[str, Any]) -> bool:
        configured = (found.get("IPAMConfig") or {}).get("IPv4Address") or ""
        address = found.get("IPAddress") or configured
        return attachment.address in ("", address) and attachment.aliases <= set(found.get("Aliases") or ())

    return [
        name
        for name, attachment in wanted.items()
        if name not in networks or not intact(attachment, networks[name])
    ]


def pending(exported: Mapping[str, Any] | None) -> frozenset[str]:
    """Docker names of the resources that were being created when the earlier run died."""
    names = (o.get("resource", {}).get("inputs", {}).get(NAME_INPUT) for o in _creations(exported))
    return frozenset(n for n in names if isinstance(n, str))


def has_pending(exported: Mapping[str, Any] | None) -> bool:
    """Whether the earlier run died while it was creating a resource."""
    return bool(_creations(exported))


def _creations(exported: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    # Unfinished deletions and updates need no action: the next refresh sees what exists.
    operations = (exported or {}).get("deployment", {}).get("pending_operations") or ()
    return [o for o in operations if o.get("type") == "creating"]


def unrecorded(owned: Sequence[EngineResource], exported: Mapping[str, Any] | None) -> list[EngineResource]:
    """Containers and networks with the stack's label that are not in the state: they block their names.

    Volumes are left out: creating one that exists adopts it, and data must never be removed here.
    """
    known = recorded(exported)
    return [
        resource
        for resource in owned
        if resource.identifier not in known
        and (
            resource.kind == "network"
            or (resource.kind == "container" and resource.labels.get(KIND) in PULUMI_KINDS)
        )
    ]


def split_unrecorded(
    owned: Sequence[EngineResource], exported: Mapping[str, Any] | None
) -> tuple[list[EngineResource], list[EngineResource]]:
    """(half-created, foreign): unrecorded resources that a killed run of this state made, and all others.

    The foreign ones belong to another clone's stack of the same name, or to a state that was lost.
    """
    names = pending(exported)
    found = unrecorded(owned, exported)
    half_made = [t for t in found if t.name in names]
    return half_made, [t for t in found if t not in half_made]


def foreign_issues(resources: Sequence[EngineResource], stack: str) -> list[Issue]:
    """One issue for all of them, because they have the same cause."""
    if not resources:
        return []
    names = ", ".join(t.name for t in resources[:4]) + (
        f" and {len(resources) - 4} more" if len(resources) > 4 else ""
    )
    return [
        Issue(
            f"stack {stack}",
            f"this clone's state does not know {names}, which carry the stack's label",
            "another clone runs a stack of this name: manage it there, or choose another name here. Only if "
            f"no clone has it, because its state was lost: `make destroy STACK={stack}` removes them and "
            "keeps the data",
        )
    ]
