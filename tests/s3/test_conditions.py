"""Conditional reads and writes: what a pointer to the newest model, and a lock, are made of."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.s3.asking import read, refused
from tests.s3.server import Server

OTHER = '"00000000000000000000000000000000"'


def test_if_none_match_writes_once(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.versioned, Key=key, Body=b"first", IfNoneMatch="*")
    code = refused(writer.put_object, Bucket=server.versioned, Key=key, Body=b"second", IfNoneMatch="*")
    assert code == "PreconditionFailed"
    assert read(writer, server.versioned, key) == b"first"


def test_if_match_writes_over_what_was_read(server: Server, writer: Any, key: str) -> None:
    tag = writer.put_object(Bucket=server.versioned, Key=key, Body=b"first")["ETag"]
    writer.put_object(Bucket=server.versioned, Key=key, Body=b"second", IfMatch=tag)
    code = refused(writer.put_object, Bucket=server.versioned, Key=key, Body=b"third", IfMatch=tag)
    assert code == "PreconditionFailed"
    assert read(writer, server.versioned, key) == b"second"


def test_if_match_reads_only_what_is_the_same(server: Server, writer: Any, key: str) -> None:
    tag = writer.put_object(Bucket=server.plain, Key=key, Body=b"x")["ETag"]
    assert read(writer, server.plain, key, IfMatch=tag) == b"x"
    code = refused(writer.get_object, Bucket=server.plain, Key=key, IfMatch=OTHER)
    assert code == "PreconditionFailed"


def test_if_none_match_reads_only_what_has_changed(server: Server, writer: Any, key: str) -> None:
    tag = writer.put_object(Bucket=server.plain, Key=key, Body=b"x")["ETag"]
    assert read(writer, server.plain, key, IfNoneMatch=OTHER) == b"x"
    with pytest.raises(ClientError) as caught:
        writer.get_object(Bucket=server.plain, Key=key, IfNoneMatch=tag)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
