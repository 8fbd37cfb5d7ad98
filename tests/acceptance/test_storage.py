"""The object store's users, its encryption, and the backup that can be restored."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import testinfra
from botocore.exceptions import ClientError

from components.inventory import Inventory
from tests.acceptance.conftest import s3_client

CANARY = b"canary-" + uuid.uuid4().hex.encode() * 8


@pytest.fixture(scope="module")
def stored(s3: Any) -> Iterator[str]:
    """The key of an object in `datasets` that holds the canary."""
    key = f"acceptance/{uuid.uuid4().hex}"
    s3.put_object(Bucket="datasets", Key=key, Body=CANARY)
    yield key
    s3.delete_object(Bucket="datasets", Key=key)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_object_comes_back_as_it_went(s3: Any, stored: str) -> None:
    assert s3.get_object(Bucket="datasets", Key=stored)["Body"].read() == CANARY


@pytest.mark.parametrize("bucket", ["models", "checkpoints"])
def test_client_cannot_write_what_training_makes(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="forged", Body=b"x")
    assert code(caught) == "AccessDenied"


def test_client_cannot_make_buckets(s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket="stolen")
    assert code(caught) == "AccessDenied"


def test_wrong_key_is_refused(inventory: Inventory, ca_file: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3_client(inventory, "client", "x" * 40, ca_file).list_objects_v2(Bucket="datasets")
    assert code(caught) == "SignatureDoesNotMatch"


def test_anonymous_is_refused(inventory: Inventory, ca_file: str, local: Any) -> None:
    command = (
        f"curl -s -o /dev/null -w '%{{http_code}}' --cacert {ca_file} {inventory.endpoints['s3']}/datasets/"
    )
    assert local.check_output(command) == "403"


def test_drives_hold_no_plain_text(inventory: Inventory, stored: str) -> None:
    for node in inventory.by_role("object-store"):
        host = testinfra.get_host(f"docker://{node.container}")
        found = host.run("grep -r -l -F %s /data/datasets", CANARY.decode())
        assert (found.rc, found.stdout) == (1, "")


def test_object_is_spread_over_all_nodes(inventory: Inventory, stored: str) -> None:
    for node in inventory.by_role("object-store"):
        host = testinfra.get_host(f"docker://{node.container}")
        assert host.file(f"/data/datasets/{stored}").is_directory, node.name


@pytest.fixture(scope="module")
def vault_writer(inventory: Inventory) -> Any:
    """Inside the backup job's container."""
    return testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")


@pytest.fixture(scope="module")
def snapshot(vault_writer: Any, stored: str) -> None:
    """A backup that was made after the canary was stored."""
    vault_writer.check_output("backup run")


def restored_hash(vault_writer: Any, key: str) -> str:
    """SHA-256 of an object of `datasets` as the newest snapshot in the vault has it."""
    dumped = vault_writer.check_output(f"restic dump latest /staging/buckets/datasets/{key} | sha256sum")
    return str(dumped.split()[0])


def test_first_backup_ran_by_itself(vault_writer: Any) -> None:
    assert vault_writer.file("/tmp/status").content_string.startswith("ok ")


def test_backup_is_restorable(vault_writer: Any, snapshot: None, stored: str) -> None:
    assert restored_hash(vault_writer, stored) == hashlib.sha256(CANARY).hexdigest()


def test_writer_cannot_forget(vault_writer: Any, snapshot: None) -> None:
    before = vault_writer.check_output("restic snapshots --json | grep -o short_id | wc -l")
    vault_writer.run("restic forget --keep-last 1 --group-by '' --prune")
    vault_writer.run("restic forget latest")
    assert vault_writer.check_output("restic snapshots --json | grep -o short_id | wc -l") == before


@pytest.fixture
def large(s3: Any) -> Iterator[dict[str, str]]:
    """Keys of objects in `datasets` with the hash of each: 192 MiB that nothing can be left out of."""
    parts = {f"acceptance/large-{n}": os.urandom(32 * 2**20) for n in range(6)}
    for key, content in parts.items():
        s3.put_object(Bucket="datasets", Key=key, Body=content)
    yield {key: hashlib.sha256(content).hexdigest() for key, content in parts.items()}
    for key in parts:
        s3.delete_object(Bucket="datasets", Key=key)


def test_backup_takes_more_than_its_memory_holds(vault_writer: Any, large: dict[str, str]) -> None:
    vault_writer.check_output("backup run")
    key, wanted = next(iter(large.items()))
    assert restored_hash(vault_writer, key) == wanted


@pytest.mark.parametrize(
    "edit",
    ["s#:[^:@]*@#:wrong@#", "s#/backup/$#/other/#"],
    ids=["wrong password", "another repository"],
)
def test_vault_refuses(vault_writer: Any, edit: str) -> None:
    command = f"unset RESTIC_REPOSITORY_FILE; restic -r \"$(sed '{edit}' /etc/aidc/repository)\" cat config"
    found = vault_writer.run(command)
    assert found.rc != 0
    assert "401" in found.stderr or "403" in found.stderr
