"""The throw-away containers of a drill. Effects: makes containers and volumes, and removes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from docker.errors import ContainerError, DockerException, NotFound

from components.backup import VAULT_USER
from components.compute import USER as COMPUTE_USER
from components.database import USER as DATABASE_USER
from components.runtime.files import FILES_DIR
from components.runtime.labels import labels
from operations.engine.client import Engine, EngineResource
from operations.engine.hardened import ALONE
from operations.errors import RefusedError

SCRATCH, DATA = "/drill", "/data"
# Of the service whose volumes and password are used, of the one whose server is, and of one whose program
# knows the models: their images.
VAULT, DATABASE, COMPUTE = "vault-pruner", "database", "ray-head"


class Restore:
    """As a context: its containers and volumes are gone at the end, whatever happened."""

    def __init__(self, engine: Engine, stack: str, purpose: str = "drill") -> None:
        self.engine, self.stack = engine, stack
        self.prefix = f"aidc-{stack}-{purpose}"
        self.volumes = {SCRATCH: f"{self.prefix}-restored", DATA: f"{self.prefix}-database"}

    def __enter__(self) -> Self:
        self._clear()
        for name in self.volumes.values():
            self.engine.client.volumes.create(name, labels=labels(self.stack, kind="scratch"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def _clear(self) -> None:
        for part in ("vault", "database", "models", "archive", "replace"):
            self.stop(part)
        for name in self.volumes.values():
            self.engine.remove(EngineResource("volume", name, name))

    def stop(self, part: str) -> None:
        """End a program that is still at work, and remove its container."""
        name = f"{self.prefix}-{part}"
        self.engine.remove(EngineResource("container", name, name))

    def objects(self, at: str | None) -> dict[str, Any]:
        """What `backup drill` says; `fault` where it failed. Raises RefusedError without a stack."""
        return self.with_vault(["backup", "drill", *(["--at", at] if at else [])])

    def with_vault(self, command: list[str]) -> dict[str, Any]:
        """What a command of the backup's image prints that can read the vault's disk and write to SCRATCH."""
        service = self._service(VAULT)
        mounts = mounted(service)
        return self._run(
            "vault",
            service["Config"]["Image"],
            command,
            VAULT_USER,
            {
                mounts[FILES_DIR]: {"bind": FILES_DIR, "mode": "ro"},
                mounts["/data"]: {"bind": "/data", "mode": "ro"},
                self.volumes[SCRATCH]: {"bind": SCRATCH, "mode": "rw"},
            },
        )

    def databases(self) -> dict[str, Any]:
        """`databases`, the rows of their tables, and `champions`; `fault` where one cannot be restored."""
        return self._run(
            "database",
            self._service(DATABASE)["Config"]["Image"],
            ["database-drill", f"{SCRATCH}/staging/snapshot/databases"],
            DATABASE_USER,
            {
                self.volumes[SCRATCH]: {"bind": SCRATCH, "mode": "ro"},
                self.volumes[DATA]: {"bind": DATA, "mode": "rw"},
            },
        )

    def answers(self, models: Sequence[str]) -> dict[str, Any]:
        """What the restored models, each NAME:SHA256[:CARD], answer; `fault` where none could be asked."""
        named = [f"--model={model}" for model in models]
        return self._run(
            "models",
            self._service(COMPUTE)["Config"]["Image"],
            ["python", "-m", "benchmark.serving.predict_once", f"{SCRATCH}/buckets", *named],
            COMPUTE_USER,
            {self.volumes[SCRATCH]: {"bind": SCRATCH, "mode": "ro"}},
        )

    def archive(self, moment: Mapping[str, Any] | None, at: str | None) -> dict[str, Any]:
        """The database out of its archive, with its log, or that up to `at`; `fault` where it failed."""
        told = [f"--lsn={moment['lsn']}"] if moment else []
        told += [f"--time={at}"] if at else []
        return self.with_database("archive", "database-archive-drill", told, self.volumes[DATA])

    def with_database(self, part: str, program: str, options: list[str], data: str) -> dict[str, Any]:
        """What a program of the database's image prints about the archive in SCRATCH; `data` is a volume."""
        service = self._service(DATABASE)
        return self._run(
            part,
            service["Config"]["Image"],
            [program, f"{SCRATCH}/repository", *options],
            DATABASE_USER,
            {
                # The passphrase of the archive is there.
                mounted(service)[FILES_DIR]: {"bind": FILES_DIR, "mode": "ro"},
                self.volumes[SCRATCH]: {"bind": SCRATCH, "mode": "ro"},
                data: {"bind": DATA, "mode": "rw"},
            },
        )

    def _service(self, name: str) -> Mapping[str, Any]:
        try:
            return self.engine.inspect(f"aidc-{self.stack}-{name}")
        except NotFound:
            fix = f"fix: `make up STACK={self.stack}`"
            raise RefusedError(f"stack {self.stack} has no container {name}; {fix}") from None

    def _run(
        self, part: str, image: str, command: list[str], user: str, volumes: Mapping[str, Mapping[str, str]]
    ) -> dict[str, Any]:
        """The JSON that a program prints, or its last words as `fault`."""
        try:
            text: bytes = self.engine.client.containers.run(
                image,
                command,
                name=f"{self.prefix}-{part}",
                labels=labels(self.stack, kind="tool"),
                user=user,
                environment={"HOME": "/tmp", "TZ": "UTC"},
                volumes=dict(volumes),
                stderr=False,
                **ALONE,
            )
            return dict(json.loads(text))
        except ContainerError as error:
            stderr = error.stderr or b""
            text_of = stderr if isinstance(stderr, str) else stderr.decode(errors="replace")
            words = text_of.strip().splitlines()
            return {"fault": " / ".join(words[-3:]) or f"exit code {error.exit_status}"}
        except (DockerException, ValueError) as error:
            return {"fault": f"{type(error).__name__}: {error}"}


def mounted(service: Mapping[str, Any]) -> dict[str, str]:
    """Place in the container → volume."""
    return {m["Destination"]: m["Name"] for m in service["Mounts"] if m["Type"] == "volume"}
