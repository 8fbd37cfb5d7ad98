"""Put, get, ranges, head, delete, copy, metadata and checksums."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any

import pytest

from tests.s3.asking import read, refused, there
from tests.s3.server import Server

TEXT = b"0123456789"


def test_an_object_comes_back_as_it_went(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT)
    assert read(writer, server.plain, key) == TEXT


def test_an_object_may_be_empty(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=b"")
    assert read(writer, server.plain, key) == b""


def test_the_second_put_wins(server: Server, writer: Any, key: str) -> None:
    for body in (b"first", b"second"):
        writer.put_object(Bucket=server.plain, Key=key, Body=body)
    assert read(writer, server.plain, key) == b"second"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("bytes=0-3", b"0123"), ("bytes=4-", b"456789"), ("bytes=-2", b"89"), ("bytes=8-99", b"89")],
    ids=["first", "rest", "last", "beyond"],
)
def test_a_range_is_what_was_asked_for(
    server: Server, writer: Any, key: str, wanted: str, expected: bytes
) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT)
    answer = writer.get_object(Bucket=server.plain, Key=key, Range=wanted)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()) == (206, expected)


def test_a_range_outside_is_refused(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT)
    assert refused(writer.get_object, Bucket=server.plain, Key=key, Range="bytes=10-") == "InvalidRange"


def test_head_tells_size_type_and_metadata(server: Server, writer: Any, key: str) -> None:
    writer.put_object(
        Bucket=server.plain, Key=key, Body=TEXT, ContentType="text/x-suite", Metadata={"run": "a b"}
    )
    head = writer.head_object(Bucket=server.plain, Key=key)
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (
        10,
        "text/x-suite",
        {"run": "a b"},
    )


def test_what_is_not_there_is_not_found(server: Server, writer: Any, key: str) -> None:
    assert refused(writer.get_object, Bucket=server.plain, Key=key) == "NoSuchKey"
    assert refused(writer.head_object, Bucket=server.plain, Key=key) == "404"


def test_deleted_is_gone_and_deleting_again_is_no_error(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT)
    for _ in range(2):
        writer.delete_object(Bucket=server.plain, Key=key)
    assert not there(writer, server.plain, key)


def test_many_are_deleted_at_once(server: Server, writer: Any, key: str) -> None:
    names = [f"{key}/{number}" for number in range(5)]
    for name in names:
        writer.put_object(Bucket=server.plain, Key=name, Body=b"x")
    batch = [{"Key": name} for name in (*names, f"{key}/missing")]
    answer = writer.delete_objects(Bucket=server.plain, Delete={"Objects": batch})
    assert not answer.get("Errors")
    assert writer.list_objects_v2(Bucket=server.plain, Prefix=key)["KeyCount"] == 0


def test_a_copy_has_the_content_and_the_metadata(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT, Metadata={"run": "1"})
    source = {"Bucket": server.plain, "Key": key}
    writer.copy_object(Bucket=server.versioned, Key=f"{key}-copy", CopySource=source)
    assert read(writer, server.versioned, f"{key}-copy") == TEXT
    assert writer.head_object(Bucket=server.versioned, Key=f"{key}-copy")["Metadata"] == {"run": "1"}


def test_a_copy_may_replace_the_metadata(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT, Metadata={"run": "1"})
    source = {"Bucket": server.plain, "Key": key}
    writer.copy_object(
        Bucket=server.plain, Key=key, CopySource=source, MetadataDirective="REPLACE", Metadata={"run": "2"}
    )
    assert writer.head_object(Bucket=server.plain, Key=key)["Metadata"] == {"run": "2"}


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_in_the_trailer_is_kept(server: Server, writer: Any, key: str, algorithm: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=TEXT, ChecksumAlgorithm=algorithm)
    head = writer.head_object(Bucket=server.plain, Key=key, ChecksumMode="ENABLED")
    made = {
        "CRC32": zlib.crc32(TEXT).to_bytes(4, "big"),
        "SHA1": hashlib.sha1(TEXT).digest(),
        "SHA256": hashlib.sha256(TEXT).digest(),
    }
    assert base64.b64decode(head[f"Checksum{algorithm}"]) == made[algorithm]


def test_a_wrong_checksum_is_refused(server: Server, writer: Any, key: str) -> None:
    wrong = base64.b64encode(bytes(4)).decode()
    refused(writer.put_object, Bucket=server.plain, Key=key, Body=TEXT, ChecksumCRC32=wrong)
    assert not there(writer, server.plain, key)


def test_a_wrong_md5_is_refused(server: Server, writer: Any, key: str) -> None:
    wrong = base64.b64encode(bytes(16)).decode()
    refused(writer.put_object, Bucket=server.plain, Key=key, Body=TEXT, ContentMD5=wrong)
    assert not there(writer, server.plain, key)
