"""No secret of the stack is where none may be, and those that it needs lie in files for their owner alone.

Every place is searched for every value that the program derives, in several forms. Each also holds a word
that is known to be there, so that an empty or wrong place does not pass.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from components.planning.inventory import Inventory
from tests.acceptance import canary
from tests.acceptance.canary import docker_ids, said
from tests.acceptance.commands import aidc
from tests.acceptance.conftest import ROOT, STACK, output
from tests.acceptance.waiting import eventually

# Its layers are gigabytes of published packages, and what we add to them is in its build context.
LARGE = "aidc-compute:"
LAYERS_WITHIN = 1200


def exported() -> bytes:
    return said("pulumi", "stack", "export", "--stack", STACK)


def state() -> bytes:
    """The backend's folder with its backups and history, and what Pulumi keeps in its home."""
    home = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi"))
    return canary.files(ROOT / ".aidc" / "state", *(home / name for name in ("logs", "workspaces")))


def rules() -> bytes:
    return said("docker", "exec", f"aidc-{STACK}-firewall", "nft", "list", "ruleset")


def contexts() -> bytes:
    """What every image is built from, without the two binaries that come from Go modules."""
    paths = [
        p for p in (ROOT / ".build").rglob("*") if p.is_file() and p.name not in ("minio", "supercronic")
    ]
    return b"\n".join(path.read_bytes() for path in paths)


def histories() -> bytes:
    images = json.loads(canary.inspected_images(STACK))
    return b"".join(said("docker", "history", "--no-trunc", image["Id"]) for image in images)


# Place → how to read it, and a word that is in it.
PLACES: dict[str, tuple[Callable[[], bytes], bytes]] = {
    "stack export": (exported, b"aidc:object_store:ObjectStore"),
    "state and its backups": (state, b"aidc:object_store:ObjectStore"),
    "stack file": ((ROOT / f"Pulumi.{STACK}.yaml").read_bytes, b"aidc:seed"),
    "inventory": (lambda: json.dumps(output("inventory")).encode(), b"aidc.inventory/1"),
    "inspection": (lambda: canary.inspected(STACK), b"MINIO_KMS_SECRET_KEY_FILE"),
    "logs": (lambda: canary.logs(STACK), b" in snapshot "),
    "command lines and environments": (lambda: canary.processes(STACK), b"MINIO_KMS_SECRET_KEY_FILE"),
    "firewall": (rules, f"aidc_{STACK}".encode()),
    "reports": (lambda: canary.files(ROOT / "out"), b"bytelm"),
    "build contexts": (contexts, b"setup-object-store"),
    "image histories": (histories, b"setup-object-store"),
}


@pytest.fixture(scope="module")
def values() -> dict[str, list[bytes]]:
    """Every secret of the stack, and the passphrase that encrypts its state."""
    seed = said("pulumi", "config", "get", "aidc:seed", "--stack", STACK).decode().strip()
    found = canary.values(STACK, seed)
    file = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if file:
        found["passphrase"] = [Path(file).read_bytes().strip()]
    return found


@pytest.fixture(scope="module")
def needles(values: dict[str, list[bytes]]) -> dict[bytes, str]:
    return canary.needles(values)


@pytest.mark.parametrize("place", PLACES)
def test_holds_no_secret(place: str, needles: dict[bytes, str]) -> None:
    read, known = PLACES[place]
    if place == "reports" and not (ROOT / "out" / STACK / "result.json").is_file():
        pytest.skip("no benchmark has been run on this stack")
    found = read()
    assert known in found, "this is not the place that was meant"
    assert canary.search(found, needles) == set()


# Page of the front door → a word that is in it. The jobs are on the first two.
PAGES = {
    "": 'id="jobs"',
    "status.json": '"jobs"',
    "report.html": "<title>Acceptance report: ",
    "audit.html": "<title>Security audit: ",
}


@pytest.fixture(scope="module")
def handed_over() -> None:
    """The front door has what this clone has."""
    done = aidc("tell")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_the_front_door_shows_no_secret(
    page: str, handed_over: None, needles: dict[bytes, str], viewer: requests.Session, inventory: Inventory
) -> None:
    """Also to somebody who is logged in, and also in pages that a workstation has handed over."""
    answer = viewer.get(f"{inventory.endpoints['home']}/{page}", timeout=30)
    if answer.status_code == 404 and page.endswith(".html"):
        pytest.skip("this clone has made no such page of this stack")
    assert answer.status_code == 200, answer.text[:300]
    assert PAGES[page] in answer.text, "this is not the page that was meant"
    assert canary.search(answer.content, needles) == set()


def test_image_layers_hold_no_secret(needles: dict[bytes, str]) -> None:
    """Every layer of every image but the large one; also the control, that the search reads into layers."""
    images = [tag for image in json.loads(canary.inspected_images(STACK)) for tag in image["RepoTags"]]
    small = [tag for tag in images if not tag.startswith(LARGE)]
    # What holds a line's end or a zero byte is no pattern for grep; its hexadecimal and base64 forms are.
    plain = [form for form in needles if not set(form) & {0, 10}]
    known = b"Makes buckets, policies and users as declared"
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join([known, *plain]))
        patterns.flush()
        command = (
            'docker save "$@" | LC_ALL=C grep --text --only-matching --fixed-strings --file="$0" | sort -u'
        )
        arguments = ["bash", "-c", command, patterns.name, *small]
        done = subprocess.run(arguments, capture_output=True, timeout=LAYERS_WITHIN, check=True)
    found = done.stdout.splitlines()
    assert known in found, "the search did not read the layers"
    assert {needles[form] for form in found if form != known} == set()


def test_a_planted_value_is_found_in_a_process(inventory: Inventory) -> None:
    """The control for processes: a command line and an environment that do hold a value."""
    container = inventory.by_role("backup")[0].container
    planted = {"argument": [secrets.token_bytes(30)], "environment": [secrets.token_bytes(30)]}
    argument, variable = (kept[0].hex() for kept in planted.values())
    # It ends with its input, whatever becomes of this test.
    script = "exec -a planted-$0 cat"
    command = ["docker", "exec", "--interactive", "--env", f"PLANTED={variable}", container]
    with subprocess.Popen([*command, "bash", "-c", script, argument], stdin=subprocess.PIPE):
        wanted = canary.needles(planted)
        assert eventually(lambda: canary.search(canary.processes(STACK), wanted) == set(planted))


def test_a_planted_value_is_found_in_an_inspection() -> None:
    """The control for what the engine tells: a container that is never started and holds a value."""
    planted = {"label": [secrets.token_bytes(30)], "variable": [secrets.token_bytes(30)]}
    label, variable = (kept[0].hex() for kept in planted.values())
    image = json.loads(canary.inspected_images(STACK))[0]["Id"]
    arguments = ["--label", f"aidc.stack={STACK}", "--label", "aidc.kind=tool", "--label", f"planted={label}"]
    name = f"aidc-{STACK}-planted"
    said("docker", "create", "--name", name, "--network", "none", *arguments,
         "--env", f"PLANTED={variable}", image, "true")  # fmt: skip
    try:
        assert canary.search(canary.inspected(STACK), canary.needles(planted)) == set(planted)
    finally:
        said("docker", "rm", name)


@pytest.fixture(scope="module")
def volumes() -> Iterator[list[tuple[str, str, list[tarfile.TarInfo]]]]:
    """Of each volume with files: its name, the user of the service that mounts it, and its files."""
    client = docker.from_env()
    everything = [client.api.inspect_container(name) for name in docker_ids("container", STACK)]
    found = []
    for seed in (c for c in everything if c["Config"]["Labels"].get("aidc.kind") == "seed"):
        (volume,) = [mount["Name"] for mount in seed["Mounts"]]
        users = {
            c["Config"]["User"]
            for c in everything
            if c is not seed and volume in [mount.get("Name") for mount in c["Mounts"]]
        }
        (user,) = users
        chunks, _stat = client.api.get_archive(seed["Id"], "/files")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            found.append((volume, user, [member for member in archive if not member.isdir()]))
    yield found
    client.close()


def test_every_service_with_files_is_looked_at(volumes: list[Any], inventory: Inventory) -> None:
    assert len(volumes) == len({service.role for service in inventory.services})


def test_every_file_is_for_its_owner_alone(volumes: list[tuple[str, str, list[tarfile.TarInfo]]]) -> None:
    for volume, user, members in volumes:
        assert members, volume
        for member in members:
            # The engine puts the type into the mode as well.
            found = (member.isreg(), oct(member.mode & 0o7777), str(member.uid), str(member.gid))
            assert found == (True, "0o400", user, user), f"{volume}: {member.name}"


def test_every_value_is_delivered_where_it_is_needed(values: dict[str, list[bytes]]) -> None:
    """The control for the list: each value is in some file, so that a search for it means something."""
    client = docker.from_env()
    seeds = [c for c in client.containers.list(all=True, filters={"label": f"aidc.stack={STACK}"})
             if c.labels.get("aidc.kind") == "seed"]  # fmt: skip
    delivered = b"".join(b"".join(seed.get_archive("/files")[0]) for seed in seeds)
    found = canary.search(delivered, canary.needles(values))
    kept_back = {
        name for name in values if name.startswith(("seed", "fingerprint", "passphrase", "key/authority"))
    }
    # Only a digest of the vault's password is in the vault, but the backup knows it.
    assert set(values) - found == kept_back
