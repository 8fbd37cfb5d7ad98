"""Fills the vault's volume from a copy, and asks restic about the copy before. Effects on the engine."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from docker.errors import DockerException, NotFound

from components.backup import VAULT_USER
from components.runtime.files import FILES_DIR
from components.runtime.image import reference
from components.runtime.labels import labels
from operations.engine.client import Engine, EngineResource
from operations.engine.hardened import ALONE
from operations.errors import OperationError, RefusedError
from operations.images.contexts import BUILD
from operations.restoring.copied import REPOSITORY, Copied

DATA = "/data"
CHUNK = 2**20


class Filling:
    """Throw-away containers of a rebuild; as a context, they and their scratch volumes go at the end."""

    def __init__(self, engine: Engine, stack: str) -> None:
        self.engine, self.stack = engine, stack
        self.volume = f"aidc-{stack}-vault-data"
        self.scratch = {DATA: f"aidc-{stack}-rebuild-metadata", FILES_DIR: f"aidc-{stack}-rebuild-files"}

    def __enter__(self) -> Filling:
        self._clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def _clear(self) -> None:
        for part in ("check", "fill"):
            self.engine.remove(EngineResource("container", self._name(part), self._name(part)))
        for name in self.scratch.values():
            self.engine.remove(EngineResource("volume", name, name))

    def _name(self, part: str) -> str:
        return f"aidc-{self.stack}-rebuild-{part}"

    def snapshot(self, copied: Copied, passwords: tuple[str, str], at: str | None) -> dict[str, Any]:
        """The snapshots that may be restored, until `at`. Raises RefusedError, for a wrong password too.

        Only what is small is copied for that; `passwords` are the current one and the one before.
        """
        for name in self.scratch.values():
            self.engine.client.volumes.create(name, labels=labels(self.stack, kind="scratch"))
        with self._container(
            "check", "backup", ["backup", "inspect", *(["--at", at] if at else [])], self.scratch
        ) as check:
            small = [copied.root / "config", *copied.files("keys", "snapshots", "index")]
            _put(check, DATA, _repository(copied, small))
            _put(check, FILES_DIR, _secrets(passwords))
            check.start()
            code = check.wait()["StatusCode"]
            said = check.logs(stderr=False).decode(errors="replace").strip()
            words = check.logs(stdout=False).decode(errors="replace").strip().splitlines()[-3:]
        try:
            found = dict(json.loads(said))
        except ValueError:
            found = {"error": " / ".join(words) or f"exit code {code}"}
        if "error" in found:
            raise RefusedError(f"FROM {copied.root}: {found['error']}; nothing was created")
        return found

    def held(self) -> bytes | None:
        """The `config` of the repository in the vault's volume, unlike any other's; None without a volume."""
        if self.volume not in {volume.name for volume in self.engine.volumes(self.stack)}:
            return None
        with self._container("fill", "vault", ["true"], {DATA: self.volume}) as container:
            try:
                chunks, _ = container.get_archive(f"{DATA}/{REPOSITORY}/config")
            except NotFound:
                return b""
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                file = archive.extractfile(archive.getmembers()[0])
                return file.read() if file else b""

    def fill(self, copied: Copied, on_file: Callable[[int], None]) -> None:
        """Copy all of it into the vault's volume, which is made with the labels of the stack's data."""
        self.engine.client.volumes.create(self.volume, labels=labels(self.stack, kind="data"))
        with self._container("fill", "vault", ["true"], {DATA: self.volume}) as container:
            # Last what makes it a repository: a copy that was interrupted is none.
            files = [*copied.files("data", "index", "keys", "snapshots"), copied.root / "config"]
            _put(container, DATA, _repository(copied, files, on_file))

    @contextmanager
    def _container(
        self, part: str, image: str, command: list[str], volumes: Mapping[str, str]
    ) -> Iterator[Any]:
        name = self._name(part)
        mounts = {volume: {"bind": place, "mode": "rw"} for place, volume in volumes.items()}
        try:
            container = self.engine.client.containers.create(
                reference(image, BUILD),
                command,
                name=name,
                labels=labels(self.stack, kind="tool"),
                user=VAULT_USER,
                environment={"HOME": "/tmp", "TZ": "UTC"},
                volumes=mounts,
                **ALONE,
            )
            yield container
        except DockerException as error:
            raise OperationError(f"{name}: {error}") from None
        finally:
            self.engine.remove(EngineResource("container", name, name))


Entry = tuple[tarfile.TarInfo, Path | bytes | None]


def _repository(
    copied: Copied, files: list[Path], on_file: Callable[[int], None] = lambda _: None
) -> Iterator[Entry]:
    """The files with their folders, of the vault's user, each with the time at which it arrived there."""
    made = set()
    for folder in (REPOSITORY, f"{REPOSITORY}/locks"):
        made.add(folder)
        yield _info(folder, 0o700, folder=True), None
    for path in files:
        name = Path(REPOSITORY) / path.relative_to(copied.root)
        for parent in reversed(name.parents):
            if str(parent) not in {".", *made}:
                made.add(str(parent))
                yield _info(str(parent), 0o700, folder=True), None
        found = path.stat()
        yield _info(str(name), 0o600, size=found.st_size, modified=found.st_mtime), path
        on_file(found.st_size)


def _secrets(passwords: tuple[str, str]) -> Iterator[Entry]:
    for name, value in zip(("repository-password", "repository-password-before"), passwords, strict=True):
        content = value.encode()
        yield _info(name, 0o400, size=len(content)), content


def _info(
    name: str, mode: int, *, size: int = 0, modified: float = 0, folder: bool = False
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.size, info.mtime = mode, size, int(modified)
    info.uid = info.gid = int(VAULT_USER)
    info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
    return info


def _put(container: Any, place: str, entries: Iterator[Entry]) -> None:
    """Copy into the container as a stream: nothing is held in memory. Raises OperationError."""
    reader, writer = os.pipe()
    faults: list[BaseException] = []

    def write() -> None:
        try:
            with os.fdopen(writer, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
                for info, content in entries:
                    if isinstance(content, Path):
                        with content.open("rb") as file:
                            archive.addfile(info, file)
                    else:
                        archive.addfile(info, io.BytesIO(content) if content is not None else None)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    with os.fdopen(reader, "rb") as pipe:
        container.put_archive(place, cast(Any, iter(lambda: pipe.read(CHUNK), b"")))
    thread.join()
    if faults:
        raise OperationError(f"the copy cannot be read to its end: {faults[0]}")
