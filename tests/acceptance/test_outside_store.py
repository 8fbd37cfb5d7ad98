"""An outside store behind the gateway: a MinIO of our own with another authority, on a network of its own.

The stack under test keeps its own store; only its images are used. Gateway and check are as a stack has them.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components import store_gateway
from components.planning import pki
from components.planning.buckets import IDENTITIES
from components.planning.grants import policy
from components.planning.inventory import Inventory
from components.planning.plan import Plan, make_plan
from components.planning.rotation import Generations
from components.planning.validation import load
from tests.acceptance.waiting import WITHIN, eventually
from tests.s3 import madmin
from tests.s3.server import Identity, Server

HOST, PORT = "s3.outside.test", 9443
NAME = f"aidc-outside-{secrets.token_hex(3)}"
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
    "--env=HOME=/tmp",
)


def docker(*arguments: str, **options: Any) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def image(inventory: Inventory, role: str) -> str:
    return inventory.by_role(role)[0].image


def owned(folder: Path, user: str, files: dict[str, str]) -> Path:
    """A folder of files that only `user` may read."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o500 if place.is_dir() else 0o400)
    subprocess.run(["chown", "--recursive", f"{user}:{user}", str(folder)], check=True)
    return folder


@dataclass(frozen=True)
class Outside:
    """The store's own side, and what a check needs to run: `plan` names its networks' addresses."""

    server: Server
    plan: Plan
    authority: str
    keys: dict[str, Identity]
    inner: str
    image: str

    def check(
        self, folder: Path, keys: dict[str, Identity] | None = None, authority: str = ""
    ) -> tuple[int, str]:
        """Exit code and output of the check, with the keys and the authority given or the right ones."""
        sections = [
            f"[{name}]\naws_access_key_id = {pair.id}\naws_secret_access_key = {pair.secret}\n"
            for name, pair in (keys or self.keys).items()
        ]
        files = {
            "store.json": store_gateway.expected(self.plan),
            "store-ca.crt": authority or self.authority,
            "store-credentials": "".join(sections),
        }
        at = owned(folder / "check", store_gateway.CHECK_USER, files)
        command = ["docker", "run", "--rm", f"--name={NAME}-check", f"--network={self.inner}", *HARDENED]
        command += [
            f"--user={store_gateway.CHECK_USER}",
            f"--volume={at}:/etc/aidc:ro",
            self.image,
            "check-store",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN)
        return done.returncode, done.stdout + done.stderr


def certificate(names: tuple[str, ...]) -> pki.Certificate:
    today = datetime.now(UTC).date()
    return pki.leaf(secrets.token_hex(32), "outside", Generations(today, today), "server", names)


def network(name: str, *options: str) -> list[str]:
    """A network with fixed addresses in a subnet that the engine has found free, and two of them."""
    docker("network", "create", *options, name)
    (found,) = json.loads(docker("network", "inspect", name))[0]["IPAM"]["Config"]
    docker("network", "rm", name)
    docker("network", "create", f"--subnet={found['Subnet']}", *options, name)
    base = str(found["Subnet"]).rpartition(".")[0]
    return [f"{base}.{host}" for host in (7, 38)]


@pytest.fixture(scope="module")
def outside(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    inner, outer = f"{NAME}-inner", f"{NAME}-outer"
    try:
        _, within = network(inner, "--internal")
        store, _ = network(outer)
        made = certificate((HOST, store))
        root = Identity("root" + secrets.token_hex(4), secrets.token_hex(20))
        (folder / "ca.pem").write_text(made.authority)
        server = Server(
            "outside", f"https://{store}:{PORT}", str(folder / "ca.pem"), root, root, root, "", "", "", ()
        )
        certs = owned(
            folder / "certs",
            "10020",
            {"public.crt": made.certificate, "private.key": made.key, "CAs/ca.crt": made.authority},
        )
        _minio(inventory, outer, store, certs, root)
        plan = _planned(store, within)
        keys = _filled(server, plan)
        gateway = owned(
            folder / "gateway",
            store_gateway.USER,
            {
                "haproxy.cfg": _settings(plan, within),
                "store-ca.crt": made.authority,
            },
        )
        docker(
            "create", f"--name={NAME}-gateway", f"--network={inner}", f"--ip={within}",
            f"--network-alias={HOST}", *HARDENED, f"--user={store_gateway.USER}",
            f"--volume={gateway}:/etc/aidc:ro",
            image(inventory, "load-balancer"), "haproxy", "-W", "-db", "-f", "/etc/aidc/haproxy.cfg",
        )  # fmt: skip
        docker("network", "connect", outer, f"{NAME}-gateway")
        docker("start", f"{NAME}-gateway")
        yield Outside(server, plan, made.authority, keys, inner, image(inventory, "backup"))
    finally:
        for part in ("gateway", "store", "check"):
            subprocess.run(
                ["docker", "rm", "--force", "--volumes", f"{NAME}-{part}"], capture_output=True, check=False
            )
        for name in (inner, outer):
            subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)


def _minio(inventory: Inventory, outer: str, address: str, certs: Path, root: Identity) -> None:
    docker(
        "run", "--detach", f"--name={NAME}-store", f"--network={outer}", f"--ip={address}", *HARDENED,
        f"--volume={certs}:/certs:ro", "--volume=/data", "--env=MINIO_ROOT_USER", "--env=MINIO_ROOT_PASSWORD",
        "--env=MINIO_BROWSER=off", "--env=MINIO_CI_CD=on", image(inventory, "object-store"),
        "minio", "server", "--quiet", "--certs-dir", "/certs", "--address", f":{PORT}", "/data",
        env={"PATH": "/usr/bin:/bin", "MINIO_ROOT_USER": root.id, "MINIO_ROOT_PASSWORD": root.secret},
    )  # fmt: skip


def _planned(store: str, within: str) -> Plan:
    external = {"endpoint": f"https://{HOST}:{PORT}", "addresses": [store]}
    plan = make_plan("test", load({"object_store": {"external": external}}, "test"))
    services = [
        replace(s, addresses={"storage": within}) if s.role == "store-gateway" else s for s in plan.services
    ]
    return replace(plan, services=tuple(services))


def _settings(plan: Plan, within: str) -> str:
    external = plan.config.object_store.external
    assert external
    text = store_gateway.configuration(plan, external)
    assert f"bind {within}:{PORT}" in text
    return text


def _filled(server: Server, plan: Plan) -> dict[str, Identity]:
    """The declared buckets, and a user for each identity with the policy that an own store gives it."""
    root, deadline = server.client(server.root), time.monotonic() + WITHIN
    while True:
        try:
            root.list_buckets()
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    for bucket in plan.buckets:
        root.create_bucket(Bucket=bucket.name, ObjectLockEnabledForBucket=bool(bucket.object_lock))
        if bucket.versioning:
            root.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        if bucket.object_lock:
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": bucket.object_lock.days}}
            root.put_object_lock_configuration(
                Bucket=bucket.name,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )
    keys = {}
    for name in IDENTITIES:
        keys[name] = Identity(f"{name}-{secrets.token_hex(4)}", secrets.token_hex(20))
        granted = json.loads(policy(name, plan.buckets))
        if name == "backup":
            seeing = ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"]
            granted["Statement"].append({"Effect": "Allow", "Action": seeing, "Resource": ["arn:aws:s3:::*"]})
        madmin.add_user(server, keys[name], granted)
    return keys


def test_a_store_as_declared_passes_and_nothing_is_written(outside: Outside, tmp_path: Path) -> None:
    code, text = outside.check(tmp_path)
    assert (code, text.splitlines()[-1]) == (0, "as declared"), text
    assert "versions of" not in text
    root = outside.server.client(outside.server.root)
    for bucket in outside.plan.buckets:
        found = root.list_object_versions(Bucket=bucket.name)
        assert not found.get("Versions")
        assert not found.get("DeleteMarkers")


def test_everything_that_is_wrong_is_named_at_once(outside: Outside, tmp_path: Path) -> None:
    root = outside.server.client(outside.server.root)
    keys = outside.keys | {
        "client": Identity(outside.keys["client"].id, "wrong" * 8),
        "compute": outside.server.root,
    }
    root.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Suspended"})
    root.delete_bucket(Bucket="results")
    try:
        code, text = outside.check(tmp_path, keys)
    finally:
        root.create_bucket(Bucket="results")
        root.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
    assert code == 1
    for said in (
        "the key of client is refused",
        "bucket results does not exist",
        "bucket models keeps no versions",
        "compute can read bucket database, which is not granted to it",
    ):
        assert said in text
    assert not [pair.secret for pair in keys.values() if pair.secret in text]


def test_a_certificate_of_another_authority_is_not_trusted(outside: Outside, tmp_path: Path) -> None:
    code, text = outside.check(tmp_path, authority=certificate((HOST,)).authority)
    assert code == 1
    assert "its certificate is not trusted" in text


def _handshake(outside: Outside, name: str) -> bytes:
    """The certificate that the gateway leads to, for a client that asks for `name`."""
    address = outside.plan.service("store-gateway").addresses["storage"]
    context = ssl.create_default_context(cadata=outside.authority)
    context.check_hostname = False
    with (
        socket.create_connection((address, PORT), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_clients_see_the_certificate_of_the_store_itself(outside: Outside) -> None:
    found = _handshake(outside, HOST)
    assert (
        ssl.DER_cert_to_PEM_cert(found)
        in Path(outside.server.ca_file).with_name("certs").joinpath("public.crt").read_text()
    )


@pytest.mark.parametrize("name", ["s3.other.test", f"x.{HOST}"])
def test_no_other_name_passes_the_gateway(outside: Outside, name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _handshake(outside, name)


def test_what_is_not_tls_does_not_pass(outside: Outside) -> None:
    address = outside.plan.service("store-gateway").addresses["storage"]
    with socket.create_connection((address, PORT), timeout=10) as plain:
        plain.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert plain.recv(100) == b""


def docker_health(command: Sequence[str]) -> int:
    return subprocess.run(["docker", "exec", *command], capture_output=True, check=False).returncode


def test_the_gateway_is_unhealthy_while_the_store_does_not_answer(outside: Outside) -> None:
    check = (f"{NAME}-gateway", "healthcheck")
    assert eventually(lambda: docker_health(check) == 0)
    docker("pause", f"{NAME}-store")
    try:
        assert eventually(lambda: docker_health(check) != 0)
    finally:
        docker("unpause", f"{NAME}-store")
