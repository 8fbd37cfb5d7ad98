"""The servers that the suite runs against: the live stack, versitygw, and MinIO with nothing before it.

The last two listen on loopback, keep their data in a folder of their own, and end with the tests.
"""

from __future__ import annotations

import configparser
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from components.planning import pki
from components.planning.rotation import Generations
from operations.images.contexts import cache
from tests.s3 import madmin
from tests.s3.server import Identity, Server

# Seconds for a server to answer.
START = 120.0
VERSIONED, PLAIN, FOREIGN, LOCKED = "suite-versioned", "suite-plain", "suite-foreign", "suite-locked"
READ = ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion")
WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
# What the writer may do in each bucket.
GRANTED: Mapping[str, tuple[str, ...]] = {
    VERSIONED: READ + WRITE,
    PLAIN: READ + WRITE,
    FOREIGN: READ,
    LOCKED: (*READ, *WRITE, "s3:DeleteObjectVersion"),
}


class TargetError(Exception):
    """A server of the suite cannot be had: what is missing, and the fix."""


@contextmanager
def stack(_: Path) -> Iterator[Server]:
    """The live stack through its load balancer; `access` and the containers' files say who may do what."""
    from tests.acceptance import conftest as live  # noqa: PLC0415  (reads the stack)

    inventory, access = live.stack_inventory(), live.output("access")
    folder = live.OUT
    folder.mkdir(parents=True, exist_ok=True)
    ca_file = folder / "s3-suite-ca.pem"
    ca_file.write_text(access["ca_pem"])
    node, backup = (inventory.by_role(role)[0].container for role in ("object-store", "backup"))
    keys = configparser.ConfigParser()
    keys.read_string(_inside(backup, "aws-credentials"))
    source = keys["default"]
    try:
        yield Server(
            name="stack",
            endpoint=str(inventory.endpoints["s3"]),
            ca_file=str(ca_file),
            root=Identity(_inside(node, "root-user"), _inside(node, "root-password")),
            writer=Identity(access["s3"]["access_key"], access["s3"]["secret_key"]),
            reader=Identity(source["aws_access_key_id"], source["aws_secret_access_key"]),
            versioned="datasets",
            plain="results",
            foreign="models",
            known=("root", "client", "compute", "backup"),
        )
    finally:
        ca_file.unlink(missing_ok=True)


def _inside(container: str, file: str) -> str:
    """A delivered file of a container that runs."""
    command = ["docker", "exec", container, "cat", f"/etc/aidc/{file}"]
    return subprocess.check_output(command, text=True).strip()


@contextmanager
def versitygw(folder: Path) -> Iterator[Server]:
    """versitygw on a folder, with users of its own and a bucket policy each."""
    program, port = _program("versitygw"), _free_port()
    certificate, key, ca_file = _certificates(folder)
    for name in ("data", "versions", "users"):
        (folder / name).mkdir()
    # The body of a request that it has refused at once, it takes for the next request on that connection.
    server = replace(_own("versitygw", port, ca_file), keeps_alive=False)
    environment = {
        "PATH": os.environ["PATH"],
        "ROOT_ACCESS_KEY_ID": server.root.id,
        "ROOT_SECRET_ACCESS_KEY": server.root.secret,
    }
    command = [
        program, "--quiet", "--port", f"127.0.0.1:{port}", "--cert", str(certificate), "--key", str(key),
        "--iam-dir", str(folder / "users"), "--health", "/health", "--keep-alive",
        "posix", "--versioning-dir", str(folder / "versions"), str(folder / "data"),
    ]  # fmt: skip
    with _running(command, environment, folder):
        _await(server, "/health")
        admin = [program, "admin", "--allow-insecure", "--endpoint-url", server.endpoint]
        as_root = {
            "PATH": os.environ["PATH"],
            "ADMIN_ACCESS_KEY": server.root.id,
            "ADMIN_SECRET_KEY": server.root.secret,
            "ADMIN_ENDPOINT_URL": server.endpoint,
        }
        for who in (server.writer, server.reader):
            options = ["create-user", "--access", who.id, "--secret", who.secret, "--role", "user"]
            subprocess.run([*admin, *options], env=as_root, check=True, capture_output=True)
        client = _buckets(server)
        for bucket, granted in GRANTED.items():
            statements = [_allow(server.reader.id, READ, bucket), _allow(server.writer.id, granted, bucket)]
            policy = {"Version": "2012-10-17", "Statement": statements}
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        yield server


@contextmanager
def minio(folder: Path) -> Iterator[Server]:
    """The pinned MinIO, one drive, encrypted as in the stack, with plain permissions and nothing before it.

    Here the attacks work: it is the proof that the tests of the fence can fail.
    """
    program, port = _program("minio"), _free_port()
    certificate, key, ca_file = _certificates(folder)
    certs = folder / "certs"
    (certs / "CAs").mkdir(parents=True)
    shutil.copy(certificate, certs / "public.crt")
    shutil.copy(key, certs / "private.key")
    shutil.copy(ca_file, certs / "CAs" / "ca.crt")
    server = _own("minio", port, ca_file)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINIO_ROOT_USER": server.root.id,
        "MINIO_ROOT_PASSWORD": server.root.secret,
        "MINIO_KMS_SECRET_KEY": "suite:" + "A" * 43 + "=",
        "MINIO_KMS_AUTO_ENCRYPTION": "on",
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CI_CD": "on",  # lets the data lie on the root disk
    }
    command = [
        program, "server", "--quiet", "--certs-dir", str(certs), "--address", f"127.0.0.1:{port}",
        str(folder / "data"),
    ]  # fmt: skip
    with _running(command, environment, folder):
        _await(server, "/minio/health/cluster")
        _buckets(server)
        for who, grants in ((server.writer, GRANTED), (server.reader, dict.fromkeys(GRANTED, READ))):
            statements = [_allow("", actions, bucket) for bucket, actions in grants.items()]
            madmin.add_user(server, who, {"Version": "2012-10-17", "Statement": statements})
        yield server


TARGETS: Mapping[str, Callable[[Path], Any]] = {"stack": stack, "versitygw": versitygw, "minio": minio}


def _own(name: str, port: int, ca_file: Path) -> Server:
    """Identities as they were in the stack: ids that anybody may guess, secrets of this run."""
    return Server(
        name=name,
        endpoint=f"https://127.0.0.1:{port}",
        ca_file=str(ca_file),
        root=Identity("root", secrets.token_hex(20)),
        writer=Identity("client", secrets.token_hex(20)),
        reader=Identity("backup", secrets.token_hex(20)),
        versioned=VERSIONED,
        plain=PLAIN,
        foreign=FOREIGN,
        known=("root", "client", "backup"),
        locked=LOCKED,
    )


def _buckets(server: Server) -> Any:
    client = server.client(server.root)
    for bucket in (VERSIONED, PLAIN, FOREIGN):
        client.create_bucket(Bucket=bucket)
    client.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    enabled = {"Status": "Enabled"}
    for bucket in (VERSIONED, FOREIGN):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=enabled)
    return client


def _allow(principal: str, actions: tuple[str, ...], bucket: str) -> dict[str, object]:
    """A statement; with a principal one of a bucket's policy, else one of a user's."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    who = {"Principal": {"AWS": [principal]}} if principal else {}
    return {"Effect": "Allow", **who, "Action": list(actions), "Resource": resources}


def _program(name: str) -> str:
    path = cache() / "bin" / name
    if not path.exists():
        raise TargetError(f"{path} is missing; fix: run `make setup`")
    return str(path)


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Files: certificate, key, authority, for 127.0.0.1."""
    today = datetime.now(UTC).date()
    generations = Generations(issued=today, renewed=today)
    made = pki.leaf(secrets.token_hex(32), "suite", generations, "server", ("localhost", "127.0.0.1"))
    paths = folder / "server.pem", folder / "server.key", folder / "ca.pem"
    for path, text in zip(paths, (made.certificate, made.key, made.authority), strict=True):
        path.write_text(text)
        path.chmod(0o600)
    return paths


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """A server that lives as long as the block; its last words are in `server.log`."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=dict(environment), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _await(server: Server, path: str) -> None:
    deadline, said = time.monotonic() + START, ""
    while time.monotonic() < deadline:
        try:
            answer = requests.get(server.endpoint + path, verify=server.ca_file, timeout=5)
            if answer.ok:
                return
            said = str(answer.status_code)
        except requests.RequestException as error:
            said = type(error).__name__
        time.sleep(0.2)
    log = Path(server.ca_file).with_name("server.log").read_text(errors="replace")[-500:]
    raise TargetError(f"{server.name} does not answer after {START:g} s ({said}): {log}")
