"""The backup saves what the store lists, names what it cannot read, and gives every key back."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra

from components.planning.inventory import Inventory

PREFIX = "acceptance/odd"
# Keys that a file system cannot hold side by side, or not at all.
ODD = (
    "fd/",
    "fd/x",
    unicodedata.normalize("NFC", "caf\u00e9"),
    unicodedata.normalize("NFD", "caf\u00e9"),
    "Case",
    "case",
    "n" * 255,
    "line\nbreak",
    "control\x01",
    "back\\slash",
    "-rf",
    "..a",
    " space ",
)
UNREADABLE = "acceptance/unreadable"
# Run in the backup's container, which reaches the nodes past the load balancer; keys come on standard input.
AS_ROOT = """
import boto3, json, sys
said = json.load(sys.stdin)
session = boto3.session.Session(said["user"], said["password"], region_name="us-east-1")
s3 = session.client("s3", endpoint_url="https://object-store:9000", verify="/etc/aidc/ca.crt")
if said["do"] == "put":
    s3.put_object(Bucket="datasets", Key=said["key"], Body=b"for nobody",
                  SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
else:
    s3.delete_object(Bucket="datasets", Key=said["key"])
"""


@pytest.fixture(scope="module")
def job(inventory: Inventory) -> Any:
    return testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")


@pytest.fixture(scope="module")
def odd(s3: Any) -> Iterator[dict[str, bytes]]:
    """Objects of `datasets` under odd keys."""
    # The store takes nothing but an empty object where the key ends with a slash.
    contents = {key: b"" if key.endswith("/") else f"object {n}".encode() for n, key in enumerate(ODD)}
    objects = {f"{PREFIX}/{key}": content for key, content in contents.items()}
    for key, content in objects.items():
        s3.put_object(Bucket="datasets", Key=key, Body=content)
    yield objects
    for key in objects:
        s3.delete_object(Bucket="datasets", Key=key)


def status(job: Any) -> dict[str, Any]:
    return dict(json.loads(job.check_output("backup status")))


def test_every_listed_key_is_in_the_snapshot(job: Any, odd: dict[str, bytes]) -> None:
    job.check_output("backup run")
    lines = job.check_output("backup keys datasets --prefix %s/", PREFIX).splitlines()
    assert {json.loads(line)["key"] for line in lines} == set(odd)


def test_every_key_comes_back_with_its_content(job: Any, odd: dict[str, bytes]) -> None:
    for key, content in odd.items():
        assert job.check_output("backup cat datasets %s", key).encode() == content, key


def test_what_did_not_change_is_not_fetched_again(job: Any, odd: dict[str, bytes]) -> None:
    """Each run has the database archive its log: that alone is new."""
    log = []
    for _ in range(2):
        job.check_output("backup run")
        log.append(status(job)["run"]["buckets"]["database"]["objects"])
    assert status(job)["run"]["fetched"] == log[1] - log[0]


# A writer that is killed while it holds the repository; its lock stays.
KILLED = """
import subprocess, time
def locks():
    return set(subprocess.check_output(["restic", "--no-lock", "list", "locks"], text=True).split())
before = locks()
writer = subprocess.Popen(["restic", "--no-cache", "backup", "--stdin"], stdin=subprocess.PIPE)
while not (own := locks() - before):
    assert writer.poll() is None, "the writer ended before it held the repository"
    time.sleep(0.1)
writer.kill()
writer.wait()
print(*own)
"""


def snapshots(job: Any) -> list[str]:
    return [found["id"] for found in json.loads(job.check_output("restic snapshots --no-lock --json"))]


def test_the_pruner_deletes_what_is_not_kept_though_a_writer_was_killed(
    job: Any, inventory: Inventory, odd: dict[str, bytes]
) -> None:
    pruner = testinfra.get_host(f"docker://{inventory.by_role('vault-pruner')[0].container}")
    for _ in range(2):
        job.check_output("backup run")
    before = snapshots(job)
    lock = job.check_output("python3 -c %s", KILLED)
    assert len(lock) == 64
    pruner.check_output("touch --date='31 minutes ago' /data/backup/locks/%s", lock)
    pruner.check_output("backup prune")
    after = snapshots(job)
    assert len(after) < len(before)
    assert before[-1] in after
    job.check_output("backup run")
    assert job.check_output("backup cat datasets %s", next(iter(odd))).encode() == next(iter(odd.values()))


def test_the_pruner_has_no_network(inventory: Inventory) -> None:
    pruner = testinfra.get_host(f"docker://{inventory.by_role('vault-pruner')[0].container}")
    assert pruner.check_output("ls /sys/class/net").split() == ["lo"]


@pytest.mark.parametrize("full", ["vault", "staging"])
def test_a_run_without_room_fails_before_it_fetches(job: Any, full: str, odd: dict[str, bytes]) -> None:
    script = (
        "from dataclasses import replace; from keeper.core import settings\n"
        "from keeper.saving import jobs, run; from keeper.sources import staging, store\n"
        "found = settings.load()\n"
        f"found = replace(found, limits={{**found.limits, {full!r}: 1}})\n"
        "s3, turn = store.client(found.store), jobs.lock()\n"
        "done = run.run(found, staging.Staging(settings.STAGING, 'everything'), s3, print)\n"
        "print(done.result, done.fetched, done.reason)"
    )
    said = job.check_output("PYTHONPATH=/usr/local/lib/aidc python3 -c %s", script).splitlines()[-1]
    assert said.startswith("failed 0 ")
    assert f"raise backup.{full}_capacity" in said


@pytest.fixture
def unreadable(job: Any, inventory: Inventory) -> Iterator[None]:
    """An object whose key nobody has, as a client could once make one."""
    node = testinfra.get_host(f"docker://{inventory.by_role('object-store')[0].container}")
    said = {
        "user": node.check_output("cat /etc/aidc/root-user"),
        "password": node.check_output("cat /etc/aidc/root-password"),
        "key": UNREADABLE,
    }

    def ask(do: str) -> None:
        job.check_output("printf %s %s | python3 -c %s", "%s", json.dumps({**said, "do": do}), AS_ROOT)

    ask("put")
    yield
    ask("delete")
    job.check_output("backup run")


def test_one_unreadable_object_makes_a_partial_backup_of_all_else(
    job: Any, odd: dict[str, bytes], unreadable: None
) -> None:
    ran = job.run("backup run")
    found = status(job)
    assert ran.rc == 3
    assert found["state"] == "partial"
    assert [(o["bucket"], o["key"]) for o in found["run"]["unreadable_objects"]] == [("datasets", UNREADABLE)]
    assert job.run("backup check").rc == 3
    assert job.run("backup check --health").rc == 0
    first = next(iter(odd))
    assert job.check_output("backup cat datasets %s", first).encode() == odd[first]


def test_a_bucket_is_put_back_with_a_key_that_may_write(
    job: Any, s3: Any, access: dict[str, Any], odd: dict[str, bytes]
) -> None:
    job.check_output("backup run")
    for key in odd:
        s3.delete_object(Bucket="datasets", Key=key)
    keys = access["s3"]
    credentials = (
        f"[default]\naws_access_key_id = {keys['access_key']}\naws_secret_access_key = {keys['secret_key']}\n"
    )
    restore = f"backup restore datasets --prefix {PREFIX}/"
    job.check_output(f"printf %s %s | {restore}", "%s", credentials)
    for key, content in odd.items():
        assert s3.get_object(Bucket="datasets", Key=key)["Body"].read() == content
