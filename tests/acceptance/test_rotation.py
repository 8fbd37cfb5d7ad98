"""Rotating certificates and passwords of the live stack: nothing is lost or fails, the old ones are refused.

One rotation of certificates while a client asks without a pause, then one of everything at once.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import testinfra
import yaml
from botocore.exceptions import ClientError
from cryptography import x509

from components.planning.flows import MINIO
from components.planning.inventory import Inventory
from components.planning.rotation import ROTATABLE
from tests.acceptance.conftest import ROOT, STACK, output, s3_client

EVERYTHING = "all,s3/compute,ray/token"
INSIDE = f"https://127.0.0.1:{MINIO}"
MAKE_ACCOUNT = f"""
set -e
folder=$(mktemp --directory)
trap 'rm -r "$folder"' EXIT
mkdir -p "$folder/certs/CAs"
cp /etc/aidc/certs/CAs/ca.crt "$folder/certs/CAs/"
mc() {{ minio-client --config-dir "$folder" "$@"; }}
printf '%s\\n' "$(</etc/aidc/root-user)" "$(</etc/aidc/root-password)" |
  mc alias set store {INSIDE} >/dev/null
mc --json admin accesskey create store "$ID"
"""
CONTENT = uuid.uuid4().hex.encode() * 1000
KEY = f"rotation/{uuid.uuid4().hex}"


def operations(*arguments: str) -> str:
    """Run a command of the product; its output. Fails the test when the command does."""
    command = [sys.executable, "-m", "operations", *arguments, "--stack", STACK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def file() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())["config"])


def generations() -> dict[str, int]:
    return {name: file().get("aidc:generations", {}).get(name, 1) for name in ROTATABLE}


def serial(endpoint: str, ca_file: str) -> int:
    """The serial number of the certificate that a verified connection gets."""
    place = urlsplit(endpoint)
    context = ssl.create_default_context(cafile=ca_file)
    with (
        socket.create_connection((place.hostname, place.port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname=place.hostname) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def containers(inventory: Inventory) -> dict[str, str]:
    """Service → the identifier of its container and when it started."""
    found = {}
    for service in inventory.services:
        command = ["docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", service.container]
        found[service.name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return found


@dataclass
class Client:
    """Asks through the load balancer without a pause, on kept connections and on new ones, until `done`.

    S3 is read and written for real and without a second try. Inference refuses it, by the load balancer's own
    word, whether or not a model is served. Ray is left out: its answers depend on how busy the machine is.
    """

    inventory: Inventory
    access: dict[str, Any]
    ca_file: str
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        session = requests.Session()
        keys = self.access["s3"]
        s3 = s3_client(self.inventory, keys["access_key"], keys["secret_key"], self.ca_file, attempts=1)
        while not self.done.is_set():
            for get in (session.get, requests.get):
                self.ask("s3", self.status, get, "s3", "/minio/health/live", expected=200)
                self.ask("inference", self.status, get, "inference", "/", expected=401)
            body = f"{self.sent}".encode()
            self.ask("put and get", self.kept, s3, body, expected=body)

    def status(self, get: Any, endpoint: str, path: str) -> int:
        url = f"{self.inventory.endpoints[endpoint]}{path}"
        return int(get(url, verify=self.ca_file, timeout=30).status_code)

    def kept(self, s3: Any, body: bytes) -> bytes:
        s3.put_object(Bucket="results", Key=KEY, Body=body)
        return bytes(s3.get_object(Bucket="results", Key=KEY)["Body"].read())

    def ask(self, what: str, request: Callable[..., object], *arguments: Any, expected: object) -> None:
        self.sent += 1
        try:
            answer = request(*arguments)
            if answer != expected:
                self.failed.append(f"{what}: {answer!r}")
        except Exception as error:  # any other would end the client, and nothing would fail any more
            self.failed.append(f"{what}: {error!r}")


@dataclass(frozen=True)
class Outcome:
    """What was seen around the rotation of the certificates."""

    client: Client
    before: dict[str, int]
    after: dict[str, int]
    replaced: set[str]


@pytest.fixture(scope="module")
def old(access: dict[str, Any], ca_file: str) -> tuple[dict[str, Any], str]:
    """Access and CA certificates as a client got them before any rotation of this module."""
    return access, ca_file


@pytest.fixture(scope="module")
def stored(s3: Any) -> str:
    """An object from before, and a snapshot of the backup that holds it."""
    s3.put_object(Bucket="datasets", Key=KEY, Body=CONTENT)
    backup = testinfra.get_host(f"docker://aidc-{STACK}-backup")
    backup.check_output("backup run")
    return str(
        backup.check_output('restic snapshots --json | grep -o \'"short_id":"[0-9a-f]*"\' | tail -1')[12:-1]
    )


@pytest.fixture(scope="module")
def certificates(inventory: Inventory, access: dict[str, Any], ca_file: str, stored: str) -> Outcome:
    """`make rotate`, with a client that asks all the while."""
    urls = {name: url for name, url in inventory.endpoints.items() if url}
    client = Client(inventory, access, ca_file)
    before, running = {name: serial(url, ca_file) for name, url in urls.items()}, containers(inventory)
    thread = threading.Thread(target=client.run)
    thread.start()
    try:
        operations("rotate")
    finally:
        client.done.set()
        thread.join()
    after = {name: serial(url, ca_file) for name, url in urls.items()}
    replaced = {name for name, entry in containers(inventory).items() if entry != running[name]}
    return Outcome(client, before, after, replaced)


def asked(container: str, keys: dict[str, str]) -> str:
    """The status of listing a bucket in one node, with the header that gets past the policies' denial."""
    variables = [part for name, value in {**keys, "BUCKET": "datasets"}.items()
                 for part in ("--env", f"{name}={value}")]  # fmt: skip
    command = ["docker", "exec", *variables, container, "identities", "try", INSIDE]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def derived(access: dict[str, Any], inventory: Inventory) -> dict[str, dict[str, str]]:
    """What can be made of the client's key: a session by anybody who has it, an account by root alone."""
    container, keys = inventory.by_role("object-store")[0].container, access["s3"]
    variables = ["--env", f"ID={keys['access_key']}", "--env", f"KEY={keys['secret_key']}"]

    def said(*command: str) -> str:
        arguments = ["docker", "exec", *variables, container, *command]
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout

    names = ("ID", "KEY", "TOKEN")
    made = json.loads(said("bash", "-c", MAKE_ACCOUNT))
    found = {
        "session": dict(zip(names, said("identities", "session", INSIDE).split(), strict=True)),
        "service account": {"ID": made["accessKey"], "KEY": made["secretKey"], "TOKEN": ""},
    }
    # The control: both are good for something until the rotation.
    assert {kind: asked(container, made) for kind, made in found.items()} == dict.fromkeys(found, "200")
    return found


@pytest.fixture(scope="module")
def everything(
    certificates: Outcome, stored: str, derived: dict[str, dict[str, str]]
) -> Iterator[dict[str, int]]:
    """All names at once; the generations from before."""
    before = generations()
    operations("rotate", "--what", EVERYTHING, "--yes")
    output.cache_clear()
    yield before
    output.cache_clear()


def test_no_request_fails_while_certificates_rotate(certificates: Outcome) -> None:
    assert certificates.client.failed == []
    # While the rotation went on: how many depends on the machine.
    assert certificates.client.sent > 50


def test_every_endpoint_shows_its_new_certificate(certificates: Outcome) -> None:
    for name, number in certificates.after.items():
        assert number != certificates.before[name], name


def test_no_container_restarts_for_new_certificates(certificates: Outcome) -> None:
    assert certificates.replaced == set()


def test_every_name_has_its_next_generation(everything: dict[str, int]) -> None:
    assert generations() == {name: number + 1 for name, number in everything.items()}


def test_nothing_is_left_to_prove(everything: dict[str, int]) -> None:
    assert "aidc:rotating" not in file()


@pytest.fixture(scope="module")
def new(everything: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Access and CA certificates as a client gets them now."""
    access = dict(output("access"))
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    path.write_text(access["ca_pem"])
    return access, str(path)


Access = tuple[dict[str, Any], str]


def test_what_was_stored_before_is_read_with_the_new_key(inventory: Inventory, new: Access) -> None:
    keys = new[0]["s3"]
    client = s3_client(inventory, keys["access_key"], keys["secret_key"], new[1])
    assert client.get_object(Bucket="datasets", Key=KEY)["Body"].read() == CONTENT


@pytest.mark.parametrize(("identifier", "key"), [("old", "old"), ("old", "new"), ("new", "old")])
def test_the_old_id_and_the_old_key_are_refused(
    identifier: str, key: str, inventory: Inventory, old: Access, new: Access
) -> None:
    keys = {"old": old[0]["s3"], "new": new[0]["s3"]}
    client = s3_client(inventory, keys[identifier]["access_key"], keys[key]["secret_key"], new[1])
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="datasets", Key=KEY)
    expected = {"old": "InvalidAccessKeyId", "new": "SignatureDoesNotMatch"}[identifier]
    assert caught.value.response["Error"]["Code"] == expected


@pytest.mark.parametrize("kind", ["service account", "session"])
def test_what_was_made_of_the_old_key_is_refused_by_every_node(
    kind: str, derived: dict[str, dict[str, str]], everything: dict[str, int], inventory: Inventory
) -> None:
    for node in inventory.by_role("object-store"):
        assert asked(node.container, derived[kind]) == "403", node.name


def test_who_trusted_the_old_authority_trusts_the_new_one(
    inventory: Inventory, old: Access, new: Access
) -> None:
    for url in filter(None, inventory.endpoints.values()):
        assert serial(url, old[1]) == serial(url, new[1])


@pytest.mark.parametrize(("which", "statuses"), [("new", {200}), ("old", {401, 403})])
def test_ray_takes_the_new_token_only(
    which: str, statuses: set[int], inventory: Inventory, old: Access, new: Access
) -> None:
    token = {"old": old, "new": new}[which][0]["ray_token"]
    url = f"{inventory.endpoints['ray']}/api/jobs/"
    answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, verify=new[1], timeout=30)
    assert answer.status_code in statuses


@pytest.mark.parametrize(("which", "expected"), [("new", 405), ("old", 401)])
def test_inference_takes_the_new_token_only(
    which: str, expected: int, inventory: Inventory, old: Access, new: Access
) -> None:
    """By the load balancer's own word, whether or not a model is served: it looks at the method next."""
    token = {"old": old, "new": new}[which][0]["inference_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.put(f"{inventory.endpoints['inference']}/", headers=headers, verify=new[1], timeout=30)
    assert answer.status_code == expected


def test_a_snapshot_from_before_can_be_restored(everything: dict[str, int], stored: str) -> None:
    backup = testinfra.get_host(f"docker://aidc-{STACK}-backup")
    command = f"backup cat --snapshot {stored} datasets {KEY}"
    assert backup.check_output(command).encode() == CONTENT


def test_the_repository_has_one_key(everything: dict[str, int]) -> None:
    backup = testinfra.get_host(f"docker://aidc-{STACK}-backup")
    assert backup.check_output("restic key list --json").count('"id"') == 1


def test_the_last_key_cannot_be_revoked(everything: dict[str, int]) -> None:
    vault = testinfra.get_host(f"docker://aidc-{STACK}-vault")
    (key,) = vault.check_output("ls /data/backup/keys").split()
    assert vault.run(f"revoke-key {key}").rc == 1
    assert vault.check_output("ls /data/backup/keys").split() == [key]


def test_a_rotation_that_was_cut_off_goes_on_with_the_next_up(everything: dict[str, int]) -> None:
    """As if `make rotate` had died right after it wrote the file."""
    number = generations()["s3/client"] + 1
    values = [f'aidc:{key}["s3/client"]={number}' for key in ("generations", "rotating")]
    flags = [part for value in values for part in ("--plaintext", value)]
    command = ["pulumi", "config", "set-all", "--path", *flags, "--stack", STACK]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ})
    said = operations("up")
    output.cache_clear()
    assert "s3/client" in said
    assert generations()["s3/client"] == number
    assert "aidc:rotating" not in file()


def test_wrong_names_are_refused_all_at_once() -> None:
    before = file()
    command = [
        sys.executable,
        "-m",
        "operations",
        "rotate",
        "--what",
        "s3/clinet,s3/encryption",
        "--stack",
        STACK,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "did you mean 's3/client'" in done.stderr
    assert "s3/encryption" in done.stderr
    assert file() == before
