"""What no identity but root may do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.s3.asking import read, refused, there
from tests.s3.server import Server

OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
)
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "versioning": ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
    "policy": ("put_bucket_policy", {"Policy": OPEN}),
    "no policy": ("delete_bucket_policy", {}),
    "lifecycle": (
        "put_bucket_lifecycle_configuration",
        {
            "LifecycleConfiguration": {
                "Rules": [
                    {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
                ]
            }
        },
    ),
    "removal of the bucket": ("delete_bucket", {}),
}


@pytest.mark.parametrize("who", ["writer", "reader"])
@pytest.mark.parametrize("call", CALLS, ids=CALLS.keys())
def test_buckets_are_changed_by_root_alone(server: Server, call: str, who: str) -> None:
    verb, arguments = CALLS[call]
    client = server.client(getattr(server, who))
    filled = {
        k: v.replace("{bucket}", server.versioned) if isinstance(v, str) else v for k, v in arguments.items()
    }
    assert refused(getattr(client, verb), Bucket=server.versioned, **filled) == "AccessDenied"


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_buckets_are_made_by_root_alone(server: Server, who: str) -> None:
    assert (
        refused(server.client(getattr(server, who)).create_bucket, Bucket="s3-suite-stolen") == "AccessDenied"
    )


def test_the_writer_writes_only_where_it_may(server: Server, writer: Any, key: str) -> None:
    assert refused(writer.put_object, Bucket=server.foreign, Key=key, Body=b"x") == "AccessDenied"
    assert refused(writer.create_multipart_upload, Bucket=server.foreign, Key=key) == "AccessDenied"
    source = {"Bucket": server.plain, "Key": key}
    writer.put_object(**source, Body=b"x")
    assert refused(writer.copy_object, Bucket=server.foreign, Key=key, CopySource=source) == "AccessDenied"


def test_the_writer_deletes_only_where_it_may(server: Server, root: Any, writer: Any, key: str) -> None:
    root.put_object(Bucket=server.foreign, Key=key, Body=b"x")
    assert refused(writer.delete_object, Bucket=server.foreign, Key=key) == "AccessDenied"
    answer = writer.delete_objects(Bucket=server.foreign, Delete={"Objects": [{"Key": key}]})
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert there(root, server.foreign, key)


def test_the_reader_only_reads(server: Server, writer: Any, reader: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=b"x")
    assert read(reader, server.plain, key) == b"x"
    assert refused(reader.put_object, Bucket=server.plain, Key=f"{key}2", Body=b"x") == "AccessDenied"
    assert refused(reader.delete_object, Bucket=server.plain, Key=key) == "AccessDenied"
    assert refused(reader.create_multipart_upload, Bucket=server.plain, Key=key) == "AccessDenied"


def put(client: Any, bucket: str, key: str) -> dict[str, str]:
    """A new version, as other calls name it."""
    made = client.put_object(Bucket=bucket, Key=key, Body=b"x")
    return {"Bucket": bucket, "Key": key, "VersionId": made["VersionId"]}


def governance(minutes: float) -> dict[str, Any]:
    return {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=minutes)}


def test_a_bucket_of_roots_own_is_closed_to_the_writer(root: Any, writer: Any, lockable: str) -> None:
    version = put(root, lockable, "a")
    assert refused(writer.put_object, Bucket=lockable, Key="a", Body=b"y") == "AccessDenied"
    assert refused(writer.delete_object, **version) == "AccessDenied"
    assert refused(writer.put_object_retention, **version, Retention=governance(1)) == "AccessDenied"
    assert read(root, lockable, "a") == b"x"


@pytest.mark.parametrize("wanted", ["none", "compliance"])
def test_the_header_of_the_bypass_gives_no_right_to_change_a_lock(
    root: Any, writer: Any, lockable: str, wanted: str
) -> None:
    """Neither to take it away, nor to set one that nobody takes away again."""
    version = put(root, lockable, wanted)
    root.put_object_retention(**version, Retention=governance(60))
    held = root.get_object_retention(**version)["Retention"]
    # Short, so that the bucket can be removed where the request is taken.
    asked = {} if wanted == "none" else {**governance(0.5), "Mode": "COMPLIANCE"}
    told = {"Retention": asked, "BypassGovernanceRetention": True}
    assert refused(writer.put_object_retention, **version, **told) == "AccessDenied"
    assert root.get_object_retention(**version)["Retention"] == held


def test_retention_is_set_and_bypassed_by_root_alone(
    server: Server, root: Any, writer: Any, key: str
) -> None:
    """Not by who may write there and remove versions, either."""
    if not server.locked:
        pytest.skip("no declared bucket has both a lock and the writer")
    free, held = put(writer, server.locked, f"{key}-free"), put(root, server.locked, key)
    root.put_object_retention(**held, Retention=governance(60))
    retention = root.get_object_retention(**held)["Retention"]
    assert refused(writer.delete_object, **held, BypassGovernanceRetention=True) == "AccessDenied"
    shorter = {"Retention": governance(1), "BypassGovernanceRetention": True}
    assert refused(writer.put_object_retention, **held, **shorter) == "AccessDenied"
    assert refused(writer.put_object_retention, **free, Retention=governance(1)) == "AccessDenied"
    assert root.get_object_retention(**held)["Retention"] == retention
    # What has no lock the writer removes, and what has one yields to root.
    writer.delete_object(**free)
    root.delete_object(**held, BypassGovernanceRetention=True)
    assert not root.list_object_versions(Bucket=server.locked, Prefix=key).get("Versions")
