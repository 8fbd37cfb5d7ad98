"""Presigned requests, and encryption that a client asks for."""

from __future__ import annotations

from typing import Any

from tests.s3 import raw
from tests.s3.asking import read, refused
from tests.s3.server import Identity, Server


def test_a_presigned_get_reads(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=b"x")
    target = raw.presigned(server, server.writer, "GET", server.plain, key)
    assert raw.send(server, "GET", target).body == b"x"


def test_a_presigned_put_writes(server: Server, writer: Any, key: str) -> None:
    target = raw.presigned(server, server.writer, "PUT", server.plain, key)
    assert raw.send(server, "PUT", target, body=b"x").status == 200
    assert read(writer, server.plain, key) == b"x"


def test_a_presigned_request_is_for_one_key_and_one_verb(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=b"x")
    target = raw.presigned(server, server.writer, "GET", server.plain, key)
    assert raw.send(server, "GET", target.replace(key, f"{key}2")).status == 403
    assert raw.send(server, "DELETE", target).status == 403


def test_a_presigned_request_grants_no_more_than_its_signer_has(server: Server, key: str) -> None:
    target = raw.presigned(server, server.reader, "PUT", server.plain, key)
    assert raw.send(server, "PUT", target, body=b"x").status == 403


def test_a_wrong_secret_is_refused(server: Server) -> None:
    stranger = server.client(Identity(server.writer.id, "x" * 40))
    assert refused(stranger.list_objects_v2, Bucket=server.plain) == "SignatureDoesNotMatch"


def test_nobody_is_refused(server: Server) -> None:
    assert raw.send(server, "GET", f"/{server.plain}?list-type=2").status == 403
    assert raw.send(server, "PUT", f"/{server.plain}/nobody", body=b"x").status == 403


def test_encryption_may_be_asked_for(server: Server, writer: Any, key: str) -> None:
    writer.put_object(Bucket=server.plain, Key=key, Body=b"x", ServerSideEncryption="AES256")
    assert read(writer, server.plain, key) == b"x"
    assert writer.head_object(Bucket=server.plain, Key=key)["ServerSideEncryption"]
