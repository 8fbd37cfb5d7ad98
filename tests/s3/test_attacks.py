"""What somebody without a secret, or with one that grants little, must not get done.

An attack that MinIO with nothing before it lets through stands in `differences.py`: there it must work.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.s3 import madmin, raw
from tests.s3.asking import keys, read, refused, there
from tests.s3.raw import forged_header, forged_query, unsigned_stream
from tests.s3.server import Identity, Server

SNOWBALL = {"X-Amz-Meta-Snowball-Auto-Extract": "true"}
SEALED = {
    "X-Minio-Replication-Server-Side-Encryption-Sealed-Key": "AAAA",
    "X-Minio-Replication-Server-Side-Encryption-Seal-Algorithm": "DAREv2-HMAC-SHA256",
    "X-Minio-Replication-Server-Side-Encryption-Iv": "AAAA",
}
SOURCE = {
    "X-Minio-Source-Mtime": "2001-01-01T00:00:00Z",
    "X-Minio-Source-Etag": "deadbeefdeadbeefdeadbeefdeadbeef",
    "X-Minio-Source-Replication-Request": "true",
}


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    return buffer.getvalue()


@pytest.mark.parametrize("bucket", ["versioned", "plain", "foreign"])
def test_a_forged_query_writes_nothing(server: Server, root: Any, key: str, bucket: str) -> None:
    name, accepted = getattr(server, bucket), []
    for known in (*server.known, server.writer.id, server.root.id):
        headers, body = unsigned_stream(b"evil")
        answer = raw.send(server, "PUT", f"/{name}/{key}?{forged_query(known)}", headers, body)
        accepted += [] if answer.refused else [answer.status]
    assert not accepted
    assert not keys(root, name, key)


def test_a_forged_header_writes_nothing(server: Server, root: Any, key: str) -> None:
    for known in (*server.known, server.root.id):
        headers, body = unsigned_stream(b"evil")
        headers["Authorization"] = forged_header(known)
        assert raw.send(server, "PUT", f"/{server.plain}/{key}", headers, body).status == 403
    assert not keys(root, server.plain, key)


@pytest.mark.parametrize("credential", ["query", "header"])
def test_an_archive_with_a_forged_signature_is_not_unpacked(
    server: Server, root: Any, key: str, credential: str
) -> None:
    tar = archive(f"{key}/unpacked")
    headers, _ = unsigned_stream(tar)
    if credential == "header":
        headers["Authorization"] = forged_header(server.root.id)
    query = f"?{forged_query(server.root.id)}" if credential == "query" else ""
    target = f"/{server.plain}/{key}.tar{query}"
    # The archive as it is: this way does not take the stream's chunks apart.
    raw.send(server, "PUT", target, {**headers, **SNOWBALL}, tar)
    assert not keys(root, server.plain, key)


def test_a_forged_part_does_not_break_an_upload(server: Server, writer: Any, key: str) -> None:
    target = {"Bucket": server.plain, "Key": key}
    upload = {**target, "UploadId": writer.create_multipart_upload(**target)["UploadId"]}
    tag = writer.upload_part(**upload, PartNumber=1, Body=b"good")["ETag"]
    headers, body = unsigned_stream(b"evil")
    query = f"partNumber=1&uploadId={upload['UploadId']}&{forged_query(server.writer.id)}"
    answer = raw.send(server, "PUT", f"/{server.plain}/{key}?{query}", headers, body)
    writer.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert read(writer, server.plain, key) == b"good"
    assert answer.refused


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/{bucket}/{key}?"),
        ("DELETE", "/{bucket}/{key}?"),
        ("GET", "/{bucket}?list-type=2&"),
        ("POST", "/{bucket}/{key}?uploads=&"),
    ],
    ids=["get", "delete", "list", "upload"],
)
def test_a_forged_query_does_nothing_else(
    server: Server, root: Any, key: str, method: str, target: str
) -> None:
    root.put_object(Bucket=server.plain, Key=key, Body=b"x")
    path = target.format(bucket=server.plain, key=key) + forged_query(server.root.id)
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    assert raw.send(server, method, path, headers).refused
    assert read(root, server.plain, key) == b"x"


@pytest.fixture
def secret(server: Server, root: Any, key: str) -> str:
    """An object that the signer of a request may read, and who holds the request may not."""
    root.put_object(Bucket=server.foreign, Key=f"{key}-secret", Body=b"secret")
    return f"/{server.foreign}/{key}-secret"


def test_a_presigned_upload_copies_nothing_else(server: Server, root: Any, key: str, secret: str) -> None:
    target = raw.presigned(server, server.writer, "PUT", server.plain, key)
    answer = raw.send(server, "PUT", target, {"x-amz-copy-source": secret, "Content-Length": "0"})
    assert not there(root, server.plain, key) or read(root, server.plain, key) != b"secret"
    assert answer.refused


def test_a_signed_upload_is_not_turned_into_a_copy(server: Server, root: Any, key: str, secret: str) -> None:
    target = f"/{server.plain}/{key}"
    headers = raw.signed(server, server.writer, "PUT", target)
    answer = raw.send(server, "PUT", target, {**headers, "x-amz-copy-source": secret})
    assert not there(root, server.plain, key) or read(root, server.plain, key) != b"secret"
    assert answer.refused


@pytest.mark.parametrize(
    "added",
    [{"x-amz-tagging": "a=b"}, {"x-amz-storage-class": "REDUCED_REDUNDANCY"}],
    ids=["tags", "storage class"],
)
def test_a_presigned_upload_takes_no_header_that_nobody_signed(
    server: Server, root: Any, key: str, added: dict[str, str]
) -> None:
    target = raw.presigned(server, server.writer, "PUT", server.plain, key)
    assert raw.send(server, "PUT", target, added, b"x").refused
    assert not keys(root, server.plain, key)


@pytest.mark.parametrize("how", ["signed", "presigned"])
def test_nobody_forges_date_and_tag_of_an_object(server: Server, root: Any, key: str, how: str) -> None:
    if how == "signed":
        raw.send_signed(server, server.writer, "PUT", f"/{server.plain}/{key}", SOURCE, b"x")
    else:
        target = raw.presigned(server, server.writer, "PUT", server.plain, key)
        raw.send(server, "PUT", target, SOURCE, b"x")
    if there(root, server.plain, key):
        head = root.head_object(Bucket=server.plain, Key=key)
        assert head["LastModified"].year > 2001
        assert "deadbeef" not in head["ETag"]


def test_no_writer_makes_an_object_that_nobody_can_read(server: Server, root: Any, key: str) -> None:
    raw.send_signed(server, server.writer, "PUT", f"/{server.plain}/{key}", SEALED, b"hello")
    if there(root, server.plain, key):
        assert read(root, server.plain, key) == b"hello"


def test_nobody_without_a_secret_makes_one_either(server: Server, root: Any, key: str) -> None:
    headers, body = unsigned_stream(b"hello")
    target = f"/{server.plain}/{key}?{forged_query(server.writer.id)}"
    raw.send(server, "PUT", target, {**headers, **SEALED}, body)
    assert not there(root, server.plain, key)


def test_no_writer_locks_others_out_with_its_own_key(
    server: Server, writer: Any, reader: Any, key: str
) -> None:
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    with contextlib.suppress(ClientError):
        writer.put_object(Bucket=server.plain, Key=key, Body=b"x", **own)
    if there(reader, server.plain, key):
        assert read(reader, server.plain, key) == b"x"


def test_the_writer_removes_no_version(server: Server, root: Any, writer: Any, key: str) -> None:
    version = writer.put_object(Bucket=server.versioned, Key=key, Body=b"kept")["VersionId"]
    code = refused(writer.delete_object, Bucket=server.versioned, Key=key, VersionId=version)
    assert code == "AccessDenied"
    assert read(root, server.versioned, key, VersionId=version) == b"kept"


def test_the_writer_removes_no_versions_at_once(server: Server, root: Any, writer: Any, key: str) -> None:
    version = writer.put_object(Bucket=server.versioned, Key=key, Body=b"kept")["VersionId"]
    batch = {"Objects": [{"Key": key, "VersionId": version}]}
    writer.delete_objects(Bucket=server.versioned, Delete=batch)
    assert read(root, server.versioned, key, VersionId=version) == b"kept"


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_nobody_makes_itself_a_second_key(server: Server, who: str) -> None:
    stolen = Identity(secrets.token_hex(10).upper(), secrets.token_hex(20))
    answer = madmin.steal_account(server, getattr(server, who), stolen)
    refused(server.client(stolen).list_objects_v2, Bucket=server.plain)
    assert answer.refused


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_nobody_gets_a_session(server: Server, who: str) -> None:
    form = b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=604800"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = raw.signed(server, getattr(server, who), "POST", "/", kind, form, service="sts")
    answer = raw.send(server, "POST", "/", headers, form)
    assert b"SecretAccessKey" not in answer.body
    assert answer.refused


def test_nobody_searches_within_objects(server: Server, writer: Any, key: str) -> None:
    """One long record is enough to fill a node's memory."""
    writer.put_object(Bucket=server.plain, Key=key, Body=b"a,b\n")
    refused(
        writer.select_object_content,
        Bucket=server.plain,
        Key=key,
        Expression="select * from s3object",
        ExpressionType="SQL",
        InputSerialization={"CSV": {}},
        OutputSerialization={"CSV": {}},
    )


OWN_PAGES = (
    "/minio/v2/metrics/cluster",
    "/minio/metrics/v3/api",
    "/minio/prometheus/metrics",
    "/minio/admin/v3/info",
    "/minio/kms/v1/status",
    "/minio/grid/v1",
    "/minio/storage/data/v63/readall",
    "/minio/lock/v1",
    "/.minio.sys/config/config.json",
    "/debug/pprof/",
)


@pytest.mark.parametrize("path", OWN_PAGES)
def test_the_servers_own_pages_are_closed(server: Server, path: str) -> None:
    assert raw.send(server, "GET", path).refused
    assert raw.send(server, "GET", f"{path}?{forged_query(server.root.id)}").refused


@pytest.mark.parametrize("path", ["accountinfo", "list-service-accounts"])
def test_the_writer_asks_nothing_of_the_administration(server: Server, path: str) -> None:
    assert raw.send_signed(server, server.writer, "GET", f"/minio/admin/v3/{path}").refused
