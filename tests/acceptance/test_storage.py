"""The object store's users, its encryption, and the backup that can be restored."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import testinfra
import urllib3
from botocore.exceptions import ClientError

from audit.storage import buckets
from components.planning.buckets import IDENTITIES
from components.planning.config import StackConfig
from components.planning.flows import MINIO
from components.planning.inventory import Inventory
from components.planning.store_place import ALIAS
from components.planning.units import size_text
from tests.acceptance.conftest import s3_client

BUCKETS = [bucket.name for bucket in StackConfig().object_store.declared()]
FORGED_CRC32 = base64.b64encode(zlib.crc32(b"forged").to_bytes(4))
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


def test_wrong_key_is_refused(inventory: Inventory, access: dict[str, Any], ca_file: str) -> None:
    client = s3_client(inventory, access["s3"]["access_key"], "x" * 40, ca_file)
    with pytest.raises(ClientError) as caught:
        client.list_objects_v2(Bucket="datasets")
    assert code(caught) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("name", ["root", "minioadmin", *IDENTITIES])
def test_no_constant_name_is_known(
    name: str, inventory: Inventory, access: dict[str, Any], ca_file: str
) -> None:
    with pytest.raises(ClientError) as caught:
        s3_client(inventory, name, access["s3"]["secret_key"], ca_file).list_objects_v2(Bucket="datasets")
    assert code(caught) == "InvalidAccessKeyId"


@pytest.mark.parametrize("name", ["root", *IDENTITIES])
@pytest.mark.parametrize("bucket", BUCKETS)
def test_nobody_writes_with_a_made_up_signature(
    name: str, bucket: str, inventory: Inventory, ca_file: str
) -> None:
    """A body whose signature MinIO never checks (CVE-2026-41145): what stops it is that no id is known."""
    body = b"6\r\nforged\r\n0\r\nx-amz-checksum-crc32:" + FORGED_CRC32 + b"\r\n\r\n"
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{name}/{now[:8]}/us-east-1/s3/aws4_request",
        "X-Amz-Date": now,
        "X-Amz-Expires": "600",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "6",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
        "x-amz-date": now,
    }
    # Asked of a node itself, so that it does not matter what the load balancer lets through.
    node = urllib3.HTTPSConnectionPool(
        inventory.by_role("object-store")[0].addresses["storage"],
        MINIO,
        ca_certs=ca_file,
        server_hostname=ALIAS,
        assert_hostname=ALIAS,
    )
    path = f"/{bucket}/acceptance/forged-{name}?{urlencode(query)}"
    assert node.request("PUT", path, body=body, headers=headers).status == 403


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


@pytest.fixture
def versions(s3: Any) -> Iterator[tuple[str, str]]:
    """A key of the versioned bucket `datasets`, and its first of two versions."""
    key = f"acceptance/{uuid.uuid4().hex}"
    first = s3.put_object(Bucket="datasets", Key=key, Body=b"1")["VersionId"]
    s3.put_object(Bucket="datasets", Key=key, Body=b"2")
    yield key, first
    s3.delete_object(Bucket="datasets", Key=key)


def test_a_version_outlives_whoever_may_delete_its_object(s3: Any, versions: tuple[str, str]) -> None:
    key, first = versions
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket="datasets", Key=key, VersionId=first)
    assert code(caught) == "AccessDenied"
    several = {"Objects": [{"Key": key, "VersionId": first}]}
    assert s3.delete_objects(Bucket="datasets", Delete=several)["Errors"][0]["Code"] == "AccessDenied"
    s3.delete_object(Bucket="datasets", Key=key)
    assert s3.get_object(Bucket="datasets", Key=key, VersionId=first)["Body"].read() == b"1"


DENIED: dict[str, dict[str, Any]] = {
    "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Suspended"}},
    "put_bucket_policy": {"Policy": "{}"},
    "delete_bucket_policy": {},
    "put_bucket_tagging": {"Tagging": {"TagSet": []}},
    "put_bucket_notification_configuration": {"NotificationConfiguration": {}},
    "put_bucket_encryption": {
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        }
    },
    "put_bucket_lifecycle_configuration": {
        "LifecycleConfiguration": {
            "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        }
    },
    "delete_bucket": {},
}


@pytest.mark.parametrize("call", DENIED)
def test_settings_of_a_bucket_are_for_root_alone(call: str, s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(s3, call)(Bucket="datasets", **DENIED[call])
    assert code(caught) == "AccessDenied"


@pytest.mark.parametrize(
    "extra",
    [{"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}, {"Tagging": "a=b"}],
    ids=["key of its own", "tags"],
)
def test_an_object_that_others_could_not_read_is_refused(extra: dict[str, Any], s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="datasets", Key="acceptance/odd", Body=b"1", **extra)
    assert code(caught) == "AccessDenied"


def test_every_bucket_was_given_its_quota(inventory: Inventory) -> None:
    store = testinfra.get_host(f"docker://{inventory.by_role('object-store')[0].container}")
    live = buckets.read(store.check_output(f"buckets show https://127.0.0.1:{MINIO}"))
    declared = {bucket.name: size_text(bucket.quota) for bucket in inventory.buckets}
    assert {name: live[name]["quota"] for name in declared} == declared


def test_the_store_knows_the_declared_users_and_no_service_account(inventory: Inventory) -> None:
    store = testinfra.get_host(f"docker://{inventory.by_role('object-store')[0].container}")
    listed = store.check_output(f"identities list https://127.0.0.1:{MINIO}").splitlines()
    known = [line.split() for line in listed if not line.startswith("session ")]
    assert sorted((kind, *policies) for kind, _id, *policies in known) == [
        ("user", "backup"),
        ("user", "client"),
        ("user", "compute"),
        ("user", "database"),
        ("user", "monitor"),
        ("user", "tracking"),
    ]


def test_the_head_holds_no_key_of_the_store(inventory: Inventory) -> None:
    head = testinfra.get_host(f"docker://{inventory.by_role('ray-head')[0].container}")
    assert "AWS_" not in head.check_output("env")
    assert set(head.check_output("ls /etc/aidc").split()) == {"files.sha256", "ray-token"}


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
    dumped = vault_writer.check_output(f"backup cat datasets {key} | sha256sum")
    return str(dumped.split()[0])


def test_first_backup_ran_by_itself(vault_writer: Any) -> None:
    found = json.loads(vault_writer.check_output("backup status"))
    assert found["schema"] == "aidc.backup/1"
    assert found["run"]["result"] == "ok"


def test_backup_is_restorable(vault_writer: Any, snapshot: None, stored: str) -> None:
    assert restored_hash(vault_writer, stored) == hashlib.sha256(CANARY).hexdigest()


def test_writer_cannot_forget(vault_writer: Any, snapshot: None) -> None:
    def snapshots() -> set[str]:
        listed = json.loads(vault_writer.check_output("restic snapshots --no-lock --json"))
        return {found["id"] for found in listed}

    before = snapshots()
    assert len(before) > 1
    for what in ("--keep-last 1 --group-by '' --prune", "latest"):
        assert "403 Forbidden" in vault_writer.run(f"restic forget {what}").stderr
    assert before <= snapshots()


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
