"""The running stack as the benchmark sees it: the exported inventory and the client's access."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.cluster.connection import Endpoint
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.ray_api import RayClient
from benchmark.core import regular
from benchmark.core.errors import StackError
from benchmark.core.store import S3Store
from benchmark.core.suggest import near

TRACKING_USER = "benchmark"


@dataclass(frozen=True)
class Stack:
    name: str
    inventory: dict[str, Any]
    access: dict[str, Any] = field(repr=False)  # secret
    ca_path: str | None = None

    @property
    def compute_nodes(self) -> int:
        return sum(service["role"] == "compute" for service in self.inventory.get("services", []))

    def images(self) -> dict[str, str]:
        return {service["name"]: service["image"] for service in self.inventory.get("services", [])}

    def endpoint(self, name: str) -> str:
        url = self.inventory.get("endpoints", {}).get(name)
        if not url:
            raise StackError(
                f"stack {self.name}: inventory.endpoints.{name}: the stack does not publish this endpoint"
            )
        return str(url)

    def ray(self) -> RayClient:
        return RayClient(self.endpoint("ray"), self.access.get("ray_token"), self.ca_path)

    def inference(self) -> Endpoint:
        return Endpoint(self.endpoint("inference"), self.ca_path, self.access.get("inference_token"))

    def tracking(self) -> MlflowClient | None:
        """None for a stack that publishes no tracking server, or none to this user."""
        url = self.inventory.get("endpoints", {}).get("tracking")
        password = self.access.get("tracking", {}).get(TRACKING_USER)
        return MlflowClient(url, TRACKING_USER, password, self.ca_path) if url and password else None

    def store(self) -> S3Store:
        keys = self.access.get("s3", {})
        pair = keys.get("access_key"), keys.get("secret_key")
        return S3Store(self.endpoint("s3"), *pair, self.ca_path, region=keys.get("region"))


def read(name: str, inventory_file: Path | None = None, access_file: Path | None = None) -> Stack:
    """From two files, or from the outputs of the Pulumi stack `name`."""
    inventory = _load(inventory_file) if inventory_file else _output(name, "inventory", secret=False)
    access = _load(access_file) if access_file else _output(name, "access", secret=True)
    if inventory.get("schema") != "aidc.inventory/1":
        raise StackError(
            f"stack {name}: inventory.schema: expected 'aidc.inventory/1', found {inventory.get('schema')!r}"
        )
    return Stack(name, inventory, access, _write_ca(access.get("ca_pem")))


def _output(name: str, output: str, secret: bool) -> dict[str, Any]:
    command = ["pulumi", "stack", "output", output, "--json", "--stack", name, "--non-interactive"]
    try:
        done = subprocess.run(
            command + (["--show-secrets"] if secret else []),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    except FileNotFoundError:
        raise StackError('pulumi: not found; prepare the shell with `eval "$(make -s env)"`') from None
    except subprocess.TimeoutExpired:
        raise StackError(f"{' '.join(command)}: no answer within 120 s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        if hint := hint_of(name):
            raise StackError(f"--stack: {name!r}: there is no Pulumi.{name}.yaml{hint}")
        raise StackError(
            f"stack {name}: no output {output!r}: {lines[-1]}. Bring it up first: make up STACK={name}"
        )
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def hint_of(name: str, folder: Path = Path()) -> str:
    """`; did you mean 'dev'?` for a name that has no stack file in `folder` but is like one that has."""
    known = {path.name.split(".", 1)[1].removesuffix(".yaml") for path in folder.glob("Pulumi.*.yaml")}
    return "" if name in known else near(name, known)


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(regular.read_text(path))
    except OSError as error:
        raise StackError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StackError(f"{path}: is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise StackError(f"{path}: must be a JSON object")
    return value


def _write_ca(pem: str | None) -> str | None:
    """TLS libraries need a file; the certificate of a certificate authority is not secret."""
    if not pem:
        return None
    path = _folder() / f"ca-{hashlib.sha256(pem.encode()).hexdigest()[:16]}.pem"
    path.write_text(pem, encoding="utf-8")
    return str(path)


@cache
def _folder() -> Path:
    """A folder of this process that only this user can enter; `atexit` removes it, after a signal too."""
    path = tempfile.mkdtemp(prefix="aidc-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)
