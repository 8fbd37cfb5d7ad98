"""Uploads in parts: complete, list, abort, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.s3.asking import read, refused, there
from tests.s3.server import Server

# The smallest part that may be followed by another.
PART = 5 * 2**20


@pytest.fixture
def upload(server: Server, writer: Any, key: str) -> dict[str, Any]:
    """An unfinished upload; `key` removes it."""
    target = {"Bucket": server.plain, "Key": key}
    return {**target, "UploadId": writer.create_multipart_upload(**target)["UploadId"]}


def send(client: Any, upload: dict[str, Any], number: int, body: bytes) -> dict[str, Any]:
    return {"PartNumber": number, "ETag": client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}


def test_parts_become_one_object_in_their_order(server: Server, writer: Any, upload: dict[str, Any]) -> None:
    last = send(writer, upload, 2, b"end")
    parts = [send(writer, upload, 1, b"a" * PART), last]
    assert not there(writer, server.plain, upload["Key"])
    writer.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert read(writer, server.plain, upload["Key"]) == b"a" * PART + b"end"


def test_parts_are_listed(writer: Any, upload: dict[str, Any]) -> None:
    sent = [send(writer, upload, number, b"x") for number in (1, 2)]
    found = writer.list_parts(**upload)["Parts"]
    assert [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in found] == sent


def test_an_aborted_upload_is_gone(server: Server, writer: Any, upload: dict[str, Any]) -> None:
    send(writer, upload, 1, b"x")
    writer.abort_multipart_upload(**upload)
    assert refused(writer.list_parts, **upload) == "NoSuchUpload"
    assert not there(writer, server.plain, upload["Key"])


def test_a_part_sent_again_replaces_the_first(server: Server, writer: Any, upload: dict[str, Any]) -> None:
    send(writer, upload, 1, b"first")
    part = send(writer, upload, 1, b"second")
    writer.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert read(writer, server.plain, upload["Key"]) == b"second"


def test_small_parts_in_the_middle_are_refused(writer: Any, upload: dict[str, Any]) -> None:
    parts = [send(writer, upload, number, b"x") for number in (1, 2)]
    code = refused(writer.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts})
    assert code == "EntityTooSmall"


def test_a_part_that_was_never_sent_is_refused(writer: Any, upload: dict[str, Any]) -> None:
    part = send(writer, upload, 1, b"x")
    wrong = [{**part, "PartNumber": 2}]
    assert (
        refused(writer.complete_multipart_upload, **upload, MultipartUpload={"Parts": wrong}) == "InvalidPart"
    )


def test_a_part_may_be_copied(server: Server, writer: Any, key: str, upload: dict[str, Any]) -> None:
    writer.put_object(Bucket=server.versioned, Key=f"{key}-source", Body=b"copied")
    source = {"Bucket": server.versioned, "Key": f"{key}-source"}
    copied = writer.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]
    parts = [{"PartNumber": 1, "ETag": copied["ETag"]}]
    writer.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert read(writer, server.plain, key) == b"copied"


def test_an_object_in_parts_can_be_written_once_only(
    server: Server, writer: Any, upload: dict[str, Any]
) -> None:
    part = send(writer, upload, 1, b"late")
    writer.put_object(Bucket=server.plain, Key=upload["Key"], Body=b"early")
    code = refused(
        writer.complete_multipart_upload, **upload, MultipartUpload={"Parts": [part]}, IfNoneMatch="*"
    )
    assert code == "PreconditionFailed"
    assert read(writer, server.plain, upload["Key"]) == b"early"
