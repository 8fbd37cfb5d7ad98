"""What the engine holds, read once: the stack's resources, other containers. Effects: asks the engine."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, NotFound

from audit.engine import fields
from audit.engine.flat import FlatResource
from components.runtime.labels import KIND, SEED_DIR, STACK
from policies.sources import live

Inspected = Mapping[str, Any]


@dataclass(frozen=True)
class FileFacts:
    """A delivered file: its owner, mode and SHA-256. The content itself is not kept."""

    owner: str
    mode: str
    digest: str


@dataclass(frozen=True)
class Snapshot:
    """Raw descriptions. `others`: containers without the stack's label. `images`: reference → `Config`."""

    stack: str
    containers: tuple[Inspected, ...]
    networks: tuple[Inspected, ...]
    volumes: tuple[Inspected, ...]
    others: tuple[Inspected, ...]
    images: Mapping[str, Inspected]
    files: Mapping[str, Mapping[str, FileFacts]]
    engine: Inspected = field(default_factory=dict)

    @property
    def running(self) -> frozenset[str]:
        """Names of the stack's containers that run."""
        return frozenset(name_of(c) for c in self.containers if c["State"]["Running"])

    def process(self, container: str) -> int:
        """The first process of a running container, as the host numbers it."""
        return int(next(c["State"]["Pid"] for c in self.containers if name_of(c) == container))


def name_of(container: Inspected) -> str:
    return str(container["Name"]).lstrip("/")


def bridges(snapshot: Snapshot) -> list[str]:
    """The host's interfaces of the stack's networks."""
    named = [
        (n.get("Options") or {}).get("com.docker.network.bridge.name") or f"br-{n['Id'][:12]}"
        for n in snapshot.networks
    ]
    return [str(name) for name in named]


def take(client: Any, stack: str) -> Snapshot:
    """Read everything. Raises docker.errors.DockerException when the engine does not answer."""
    api, label = client.api, {"label": [f"{STACK}={stack}"]}
    every = [_inspect(api, c["Id"]) for c in api.containers(all=True)]
    found = [c for c in every if c]
    own = [c for c in found if (c["Config"].get("Labels") or {}).get(STACK) == stack]
    seeds = [c for c in own if (c["Config"].get("Labels") or {}).get(KIND) == "seed"]
    return Snapshot(
        stack=stack,
        containers=tuple(own),
        networks=tuple(api.inspect_network(n["Id"]) for n in api.networks(filters=label)),
        volumes=tuple(api.volumes(filters=label).get("Volumes") or ()),
        others=tuple(c for c in found if c not in own),
        images={reference: _image(api, reference) for reference in {c["Config"]["Image"] for c in own}},
        files={name_of(seed): _files(api, name_of(seed)) for seed in seeds},
        engine=api.info(),
    )


def _inspect(api: Any, identifier: str) -> Inspected | None:
    """None for a container that was removed since it was listed."""
    try:
        found: Inspected = api.inspect_container(identifier)
    except NotFound:
        return None
    return found


def _image(api: Any, reference: str) -> Inspected:
    """The image's defaults; empty if the image was removed while its container remains."""
    try:
        return dict(api.inspect_image(reference).get("Config") or {})
    except NotFound:
        return {}


def _files(api: Any, seed: str) -> dict[str, FileFacts]:
    """The files that a seed put into its volume; their contents are read and not kept."""
    try:
        chunks, _ = api.get_archive(seed, SEED_DIR)
        content = b"".join(chunks)
    except (NotFound, APIError):
        return {}
    found = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            if file:
                digest = hashlib.sha256(file.read()).hexdigest()
                owner = f"{member.uid}:{member.gid}"
                found[member.name.partition("/")[2]] = FileFacts(owner, f"{member.mode & 0o7777:04o}", digest)
    return found


def resources(snapshot: Snapshot) -> list[FlatResource]:
    """Everything that carries the stack's label, in the fields that are compared."""
    made = []
    for container in snapshot.containers:
        name, image = name_of(container), str(container["Config"]["Image"])
        files = {
            f"files.{path}": f"{facts.owner} {facts.mode} {facts.digest[:16]}"
            for path, facts in snapshot.files.get(name, {}).items()
        }
        inherited = fields.of(live.image(image, snapshot.images.get(image, {})))
        made.append(
            FlatResource("container", name, {**fields.of(live.container(container)), **files}, inherited)
        )
    made += [FlatResource("network", n["Name"], fields.of(live.network(n))) for n in snapshot.networks]
    made += [FlatResource("volume", v["Name"], fields.of(live.volume(v))) for v in snapshot.volumes]
    return made
