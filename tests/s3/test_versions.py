"""Versions, delete markers and object lock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.s3.asking import read, refused
from tests.s3.server import Server

# Seconds of the lock that must run out by itself; the servers and this machine share a clock.
SHORT = 3


def lock(mode: str, seconds: float) -> dict[str, Any]:
    return {"Mode": mode, "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=seconds)}


def refused_while_locked(root: Any, bucket: str, key: str, mode: str, **more: Any) -> str:
    """The code with which a locked version is not deleted; it is still there.

    Where the lock ran out before the store was asked, a longer one is tried: the machine is slow.
    """
    for seconds in (SHORT, 10 * SHORT):
        version = root.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"]
        which = {"Bucket": bucket, "Key": key, "VersionId": version}
        retention = lock(mode, seconds)
        root.put_object_retention(**which, Retention=retention)
        try:
            code = refused(root.delete_object, **which, **more)
            assert read(root, bucket, key, VersionId=version) == b"x"
            return code
        except pytest.fail.Exception:
            if datetime.now(UTC) < retention["RetainUntilDate"] - timedelta(seconds=1):
                raise
    raise AssertionError("no lock lasted until the store was asked")


def test_an_overwritten_object_reads_as_its_newest_version(
    server: Server, writer: Any, reader: Any, key: str
) -> None:
    for body in (b"first", b"second"):
        writer.put_object(Bucket=server.versioned, Key=key, Body=body)
    assert read(reader, server.versioned, key) == b"second"


def test_root_reads_and_lists_every_version(server: Server, root: Any, writer: Any, key: str) -> None:
    made = [
        writer.put_object(Bucket=server.versioned, Key=key, Body=body)["VersionId"] for body in (b"1", b"2")
    ]
    listed = root.list_object_versions(Bucket=server.versioned, Prefix=key)["Versions"]
    assert [found["VersionId"] for found in listed] == made[::-1]
    assert [read(root, server.versioned, key, VersionId=version) for version in made] == [b"1", b"2"]


def test_a_deletion_is_a_marker_and_can_be_undone(server: Server, root: Any, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.versioned, Key=key, Body=b"kept")
    marker = writer.delete_object(Bucket=server.versioned, Key=key)
    assert marker["DeleteMarker"]
    assert refused(writer.get_object, Bucket=server.versioned, Key=key) == "NoSuchKey"
    root.delete_object(Bucket=server.versioned, Key=key, VersionId=marker["VersionId"])
    assert read(writer, server.versioned, key) == b"kept"


def test_root_removes_one_version_for_good(server: Server, root: Any, writer: Any, key: str) -> None:
    first, second = (
        writer.put_object(Bucket=server.versioned, Key=key, Body=body)["VersionId"] for body in (b"1", b"2")
    )
    root.delete_object(Bucket=server.versioned, Key=key, VersionId=first)
    listed = root.list_object_versions(Bucket=server.versioned, Prefix=key)["Versions"]
    assert [found["VersionId"] for found in listed] == [second]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_locked_version_cannot_be_removed(root: Any, lockable: str, mode: str) -> None:
    code = refused_while_locked(root, lockable, "locked", mode)
    assert code in ("AccessDenied", "InvalidRequest", "ObjectLocked")


def test_governance_yields_to_a_bypass_and_compliance_to_nobody(root: Any, lockable: str) -> None:
    version = root.put_object(Bucket=lockable, Key="governance", Body=b"x")["VersionId"]
    which = {"Bucket": lockable, "Key": "governance", "VersionId": version}
    # So long that it cannot have run out by itself.
    root.put_object_retention(**which, Retention=lock("GOVERNANCE", 3600))
    root.delete_object(**which, BypassGovernanceRetention=True)
    refused_while_locked(root, lockable, "compliance", "COMPLIANCE", BypassGovernanceRetention=True)


def test_compliance_ends_with_its_date(root: Any, lockable: str) -> None:
    version = root.put_object(Bucket=lockable, Key="a", Body=b"x")["VersionId"]
    which = {"Bucket": lockable, "Key": "a", "VersionId": version}
    root.put_object_retention(**which, Retention=lock("COMPLIANCE", SHORT))
    time.sleep(SHORT + 1)
    root.delete_object(**which)
    assert not root.list_object_versions(Bucket=lockable).get("Versions")


def test_a_legal_hold_holds(root: Any, lockable: str) -> None:
    version = root.put_object(Bucket=lockable, Key="a", Body=b"x")["VersionId"]
    which = {"Bucket": lockable, "Key": "a", "VersionId": version}
    root.put_object_legal_hold(**which, LegalHold={"Status": "ON"})
    refused(root.delete_object, **which)
    root.put_object_legal_hold(**which, LegalHold={"Status": "OFF"})
    root.delete_object(**which)
