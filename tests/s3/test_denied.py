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


def test_retention_is_set_and_bypassed_by_root_alone(
    server: Server, root: Any, writer: Any, lockable: str
) -> None:
    until = datetime.now(UTC) + timedelta(minutes=1)
    version = root.put_object(
        Bucket=lockable, Key="a", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    which = {"Bucket": lockable, "Key": "a", "VersionId": version}
    assert refused(writer.delete_object, **which, BypassGovernanceRetention=True) == "AccessDenied"
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=1)}
    code = refused(writer.put_object_retention, **which, Retention=retention, BypassGovernanceRetention=True)
    assert code == "AccessDenied"
    assert root.get_object_retention(**which)["Retention"]["Mode"] == "GOVERNANCE"
