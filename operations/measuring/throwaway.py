"""Throw-away services to compare with: hardened containers, volumes and a network of their own."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from docker.errors import APIError

from components.planning import pki
from components.planning.rotation import Generations
from components.planning.units import MIB
from components.runtime.files import FILES_DIR
from components.runtime.labels import labels
from operations.engine.client import Engine, EngineResource
from operations.engine.hardened import HARDENED
from operations.errors import OperationError


class Throwaway:
    """As a context: all that it made is gone at the end, and what a killed run left at the beginning."""

    def __init__(self, engine: Engine, stack: str, what: str) -> None:
        self.engine, self.stack, self.prefix = engine, stack, f"aidc-{stack}-{what}"

    def __enter__(self) -> Self:
        self._clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        for resource in self.engine.owned(self.stack):
            if resource.name == self.prefix or resource.name.startswith(f"{self.prefix}-"):
                # At once: nothing in it is worth an orderly end.
                self.engine.remove(EngineResource(resource.kind, resource.name, resource.identifier))

    def network(self) -> str:
        """A network without a way out; the engine chooses its subnet."""
        try:
            self.engine.client.networks.create(
                self.prefix, driver="bridge", internal=True, labels=labels(self.stack, kind="tool")
            )
        except APIError as error:
            raise OperationError(f"network {self.prefix}: cannot be made: {error.explanation}") from None
        return self.prefix

    def volume(self, part: str) -> str:
        name = f"{self.prefix}-{part}"
        self.engine.client.volumes.create(name, labels=labels(self.stack, kind="scratch"))
        return name

    def start(
        self,
        part: str,
        like: Mapping[str, Any],
        command: Sequence[str],
        *,
        volumes: Mapping[str, str],
        environment: Mapping[str, str] | None = None,
        network: str | None = None,
        files: Mapping[str, str] | None = None,
    ) -> str:
        """Start a container with image, user and limits of the service `like`; its name.

        `volumes` maps a volume to its path, `files` a path in one of them to a content that no other user may
        read. Raises OperationError.
        """
        limits, name = like["HostConfig"], f"{self.prefix}-{part}"
        user = str(like["Config"]["User"])
        try:
            created = self.engine.client.containers.create(
                like["Config"]["Image"],
                list(command),
                name=name,
                hostname=part,
                user=user,
                environment={"HOME": "/tmp", "TZ": "UTC", **(environment or {})},
                volumes={volume: {"bind": path, "mode": "rw"} for volume, path in volumes.items()},
                labels=labels(self.stack, kind="tool"),
                mem_limit=limits["Memory"],
                memswap_limit=limits["Memory"],
                nano_cpus=limits["NanoCpus"],
                shm_size=limits.get("ShmSize") or 64 * MIB,
                **self._joined(network, part),
                pids_limit=4096,
                **HARDENED,
            )
            for path, text in (files or {}).items():
                folder, _, file = path.rpartition("/")
                created.put_archive(folder, _archive(file, text, int(user)))
            created.start()
        except APIError as error:
            raise OperationError(f"container {name}: cannot be started: {error.explanation}") from None
        return name

    def _joined(self, network: str | None, part: str) -> dict[str, Any]:
        if network is None:
            return {"network_mode": "none"}
        endpoint = self.engine.client.api.create_endpoint_config(aliases=[part])
        return {"network": network, "networking_config": {network: endpoint}}

    def write(self, container: str, path: str, text: str) -> None:
        """Write a file in a volume of a container, for its user alone."""
        user = int(self.engine.inspect(container)["Config"]["User"])
        folder, _, file = path.rpartition("/")
        self.engine.client.api.put_archive(container, folder, _archive(file, text, user))

    def address(self, container: str) -> str:
        """Its address in the network of this context."""
        found = self.engine.inspect(container)["NetworkSettings"]["Networks"]
        return str(found[self.prefix]["IPAddress"])


def settings_file(engine: Engine, stack: str, name: str, file: str) -> str:
    """One of the files of a service: for its settings, never for its secrets."""
    chunks, _ = engine.client.api.get_archive(f"aidc-{stack}-{name}", f"{FILES_DIR}/{file}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        found = archive.extractfile(file)
        assert found
        return found.read().decode()


def certificate(seed: str, name: str) -> pki.Certificate:
    """A certificate for a throw-away server, of an authority that nobody else knows."""
    today = datetime.now(UTC).date()
    return pki.leaf(seed, "bench", Generations(today, today), name, (name,))


def _archive(name: str, text: str, owner: int) -> bytes:
    content, buffer = text.encode(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o400, owner, owner
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
