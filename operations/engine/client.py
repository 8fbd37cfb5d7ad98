"""The Docker engine: its resources, and the few operations on them. All effects on the engine are here."""

from __future__ import annotations

import io
import os
import re
import socket
import tarfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from threading import Event, Timer
from typing import Any, Literal

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.utils.socket import frames_iter

from components.runtime.host import is_local
from components.runtime.labels import KIND, STACK
from operations.errors import OperationError
from operations.polling import poll

Kind = Literal["container", "network", "volume"]
STOP_SECONDS = 30
EXIT_WITHIN = 5  # seconds after the end of a command's output
ADDRESS_FIX = "write it as unix:///run/docker.sock or tcp://HOST:2376, or unset it for the local engine"
SSH_FIX = (
    "forward its socket, `ssh -NL ~/docker.sock:/var/run/docker.sock HOST`, and set "
    "DOCKER_HOST=unix://$HOME/docker.sock"
)

CONTEXT_FIX = "set DOCKER_HOST to its address (`docker context inspect` shows it), and unset DOCKER_CONTEXT"


class EngineError(OperationError):
    """No engine answers; `fix` says what to do about it."""

    def __init__(self, fault: str, fix: str) -> None:
        self.fault, self.fix = fault, fix
        super().__init__(f"engine: {fault}\n    fix: {fix}")


@dataclass(frozen=True)
class EngineResource:
    """A container, network or volume of the engine. `published` are (address, port) pairs on the host."""

    kind: Kind
    name: str
    identifier: str
    labels: Mapping[str, str] = field(default_factory=dict)
    running: bool = False
    published: tuple[tuple[str, int], ...] = ()
    subnets: tuple[IPv4Network, ...] = ()

    @property
    def stack(self) -> str:
        return self.labels.get(STACK, "")

    @property
    def is_data(self) -> bool:
        return self.kind == "volume" and self.labels.get(KIND) == "data"


class Engine:
    """The engine that DOCKER_HOST names, else the local one."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def is_local(self) -> bool:
        """Whether its ports, routes and disks are this machine's."""
        return is_local(str(self.client.api.base_url))

    def info(self) -> dict[str, Any]:
        return {**self.client.info(), "ApiVersion": self.client.version().get("ApiVersion", "")}

    def images(self) -> frozenset[str]:
        """All tags that the engine holds."""
        found = self.client.api.images()
        return frozenset(tag for image in found for tag in image.get("RepoTags") or ())

    def containers(self, stack: str | None = None) -> list[EngineResource]:
        """All containers, running or not; with `stack`, those that carry its label."""
        found = self.client.api.containers(all=True, filters=_filters(stack))
        return [_container(raw) for raw in found]

    def networks(self, stack: str | None = None) -> list[EngineResource]:
        return [_network(raw) for raw in self.client.api.networks(filters=_filters(stack))]

    def volumes(self, stack: str | None = None) -> list[EngineResource]:
        found = self.client.api.volumes(filters=_filters(stack)).get("Volumes") or []
        return [EngineResource("volume", v["Name"], v["Name"], v.get("Labels") or {}) for v in found]

    def owned(self, stack: str) -> list[EngineResource]:
        """Everything that carries the stack's label, in an order that allows removal."""
        return [*self.containers(stack), *self.networks(stack), *self.volumes(stack)]

    def remove(self, resource: EngineResource) -> None:
        """Remove a resource; a container is stopped first. One that does not exist any more is not an error.

        Raises OperationError with the engine's reason.
        """
        api = self.client.api
        try:
            if resource.kind == "container":
                if resource.running:
                    api.stop(resource.identifier, timeout=STOP_SECONDS)
                api.remove_container(resource.identifier, force=True)
            elif resource.kind == "network":
                api.remove_network(resource.identifier)
            else:
                api.remove_volume(resource.name)
        except NotFound:
            return
        except APIError as error:
            raise OperationError(
                f"{resource.kind} {resource.name}: cannot be removed: {error.explanation}"
            ) from None

    def inspect(self, name: str) -> Mapping[str, Any]:
        """The engine's description of a container. Raises docker.errors.NotFound."""
        found: Mapping[str, Any] = self.client.api.inspect_container(name)
        return found

    def files(self, container: str, folder: str) -> dict[str, str]:
        """The files below `folder` of a container, running or not: path relative to it → content."""
        chunks, _stat = self.client.api.get_archive(container, folder)
        found = {}
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            for member in archive:
                if (content := archive.extractfile(member)) is not None:
                    found[member.name.partition("/")[2]] = content.read().decode(errors="replace")
        return found

    def put(self, container: str, place: str, folder: str, contents: Mapping[str, bytes], owner: int) -> None:
        """Write small files into `place`/`folder` of a container, readable by `owner` alone."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            top = tarfile.TarInfo(folder)
            top.type, top.mode, top.uid, top.gid = tarfile.DIRTYPE, 0o700, owner, owner
            archive.addfile(top)
            for name, content in contents.items():
                info = tarfile.TarInfo(f"{folder}/{name}")
                info.size, info.mode, info.uid, info.gid = len(content), 0o600, owner, owner
                archive.addfile(info, io.BytesIO(content))
        self.client.api.put_archive(container, place, stream.getvalue())

    def run(
        self, container: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit code and standard output of `command` in a running container. Raises OperationError."""
        api = self.client.api
        created = api.exec_create(container, command, stderr=False, environment=dict(environment or {}))
        text: bytes = api.exec_start(created["Id"])
        return self._exit_code(created["Id"], container, command), text.decode(errors="replace")

    def _exit_code(self, identifier: str, container: str, command: list[str]) -> int:
        """None for a moment, though the output has ended: the engine has not yet noted the exit."""
        code = poll(
            lambda: self.client.api.exec_inspect(identifier)["ExitCode"],
            EXIT_WITHIN,
            every=0.05,
            until=lambda code: code is not None,
        )
        if code is None:
            raise OperationError(f"{container}: the engine does not say how {command[0]} has ended")
        return int(code)

    def follow(self, container: str, command: list[str], on_line: Callable[[str], None]) -> int:
        """Run `command` in a running container, pass on each line it prints, and return its exit code."""
        api = self.client.api
        created = api.exec_create(container, command)
        _each_line(api.exec_start(created["Id"], stream=True), on_line)
        return self._exit_code(created["Id"], container, command)

    def converse(
        self,
        container: str,
        command: list[str],
        said: str | bytes,
        on_line: Callable[[str], str | None],
        within: float | None = None,
    ) -> int:
        """Like `follow`, with `said` on standard input, which stays open until the command has ended.

        What `on_line` returns is said to the command, too. The command can tell by its closing that we are
        gone. It has `within` seconds: whoever holds a service can have it hang for ever. Raises
        OperationError where it takes longer.
        """
        api = self.client.api
        created = api.exec_create(container, command, stdin=True)
        stream = api.exec_start(created["Id"], socket=True)
        raw = getattr(stream, "_sock", stream)
        late = Event()
        timer = Timer(within or 0, _hang_up, (raw, late))
        timer.daemon = True
        if within is not None:
            timer.start()
        try:
            raw.sendall(said.encode() if isinstance(said, str) else said)
            frames = frames_iter(stream, tty=False)  # type: ignore[no-untyped-call]

            def hear(line: str) -> None:
                if reply := on_line(line):
                    raw.sendall(reply.encode())

            _each_line((chunk for _, chunk in frames), hear)
        except OSError:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
            stream.close()
            raw.close()
        if late.is_set():
            raise OperationError(f"{container}: {command[0]} did not end within {within:g} s")
        return self._exit_code(created["Id"], container, command)

    def output(self, container: str, command: list[str]) -> str | None:
        """The output of `command` in a running container, or None when it fails."""
        try:
            code, text = self.run(container, command)
        except (DockerException, OperationError):
            return None
        return text if code == 0 else None

    def unpause(self, container: str) -> None:
        """Unpause a container."""
        self.client.api.unpause(container)

    def restart(self, container: str) -> None:
        """Stop and start a container, gracefully."""
        self.client.api.restart(container, timeout=STOP_SECONDS)


def _hang_up(connection: socket.socket, late: Event) -> None:
    late.set()
    # Whoever waits for something from it, or to get something to it, goes on.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _each_line(chunks: Iterable[bytes], on_line: Callable[[str], None]) -> None:
    """Pass on each line as it comes, an unfinished one at the end."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            on_line(line.decode(errors="replace"))
    if rest:
        on_line(rest.decode(errors="replace"))


def connect() -> Engine:
    """The engine, answering. Raises EngineError."""
    context = os.environ.get("DOCKER_CONTEXT", "")
    if context not in ("", "default") and not os.environ.get("DOCKER_HOST"):
        # `make` passes its address on; whoever calls without it would look at two engines.
        raise EngineError(f"DOCKER_CONTEXT={context!r} is known to the docker command alone", CONTEXT_FIX)
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except (DockerException, OSError, ValueError) as error:
        text = str(error)
        host = os.environ.get("DOCKER_HOST", "")
        if isinstance(error, ValueError):
            raise EngineError(f"DOCKER_HOST={host!r} is not a valid address: {text}", ADDRESS_FIX) from None
        if host.startswith("ssh://"):
            raise EngineError(f"{host} cannot be used: {text}", SSH_FIX) from None
        if "Permission denied" in text or "PermissionError" in text:
            raise EngineError(
                "permission denied for this user", "run as root, or join the group docker"
            ) from None
        # The SDK nests up to four exceptions in one line; only the system's own message is useful.
        system = re.search(r"Error\(\d+, '([^']+)'|\[Errno \d+\] ([^'\")]+)", text)
        reason = (system[1] or system[2]) if system else text.split(": ", 1)[-1]
        fault = f"{os.environ.get('DOCKER_HOST') or 'the local socket'} does not answer: {reason}"
        fix = "start it (`make setup` installs and starts one), or set DOCKER_HOST to a running one"
        raise EngineError(fault, fix) from None
    return Engine(client)


def _filters(stack: str | None) -> dict[str, list[str]]:
    return {"label": [f"{STACK}={stack}"]} if stack is not None else {}


def _container(raw: Mapping[str, Any]) -> EngineResource:
    ports = {(p.get("IP") or "0.0.0.0", p["PublicPort"]) for p in raw.get("Ports") or () if "PublicPort" in p}
    name = (raw.get("Names") or [raw["Id"]])[0].lstrip("/")
    running = raw.get("State") in ("running", "restarting", "paused")
    return EngineResource(
        "container", name, raw["Id"], raw.get("Labels") or {}, running, tuple(sorted(ports))
    )


def _network(raw: Mapping[str, Any]) -> EngineResource:
    configured = (raw.get("IPAM") or {}).get("Config") or ()
    found = (_subnet((c or {}).get("Subnet")) for c in configured)
    subnets = tuple(s for s in found if s is not None)
    return EngineResource("network", raw["Name"], raw["Id"], raw.get("Labels") or {}, subnets=subnets)


def _subnet(text: object) -> IPv4Network | None:
    """An IPv4 subnet or None: foreign networks may have host bits, IPv6, or no subnet at all."""
    try:
        return IPv4Network(str(text), strict=False)
    except ValueError:
        return None
