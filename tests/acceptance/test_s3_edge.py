"""What no honest S3 client sends is refused by the load balancer, whoever signed it."""

from __future__ import annotations

import io
import tarfile

import pytest

from components.planning.buckets import IDENTITIES
from tests.acceptance.s3_requests import BUCKET, KEY, Store, forged_header, forged_query, unsigned_stream

OBJECT = f"/{BUCKET}/{KEY}"
USERS = ("root", *IDENTITIES)
SEALED = "x-minio-replication-server-side-encryption-sealed-key"


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("edge/from-archive")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    return buffer.getvalue()


def test_an_honest_request_passes(store: Store) -> None:
    assert store.send("PUT", OBJECT, store.signed("PUT", OBJECT, body=b"x"), b"x").status == 200
    assert store.send("GET", store.presigned("GET", OBJECT)).body == b"x"


@pytest.mark.parametrize("query", [True, False], ids=["query", "header"])
@pytest.mark.parametrize("user", USERS)
def test_an_archive_to_unpack_is_refused_without_the_secret(store: Store, user: str, query: bool) -> None:
    headers, body = unsigned_stream(archive())
    headers["X-AMZ-Meta-Snowball-Auto-Extract"] = "true"
    if not query:
        headers["Authorization"] = forged_header(user)
    target = f"{OBJECT}.tar?{forged_query(user)}" if query else f"{OBJECT}.tar"
    assert store.send("PUT", target, headers, body).refused


@pytest.mark.parametrize("target", [OBJECT, f"{OBJECT}?partNumber=1&uploadId=a&"], ids=["object", "part"])
@pytest.mark.parametrize("user", USERS)
def test_an_unsigned_stream_is_refused_without_a_signed_header(store: Store, user: str, target: str) -> None:
    headers, body = unsigned_stream(b"forged")
    separator = "" if target.endswith("&") else "?"
    assert store.send("PUT", f"{target}{separator}{forged_query(user)}", headers, body).refused
    assert store.send("PUT", target.rstrip("&"), headers, body).refused
    both = {**headers, "Authorization": forged_header(user)}
    assert store.send("PUT", f"{target}{separator}{forged_query(user)}", both, body).refused
    lower = {**headers, "Authorization": "aws4-hmac-sha256 x"}
    assert store.send("PUT", f"{target}{separator}{forged_query(user)}", lower, body).refused


@pytest.mark.parametrize("place", ["X-Amz-Content-Sha256", "x-amz-content-sha256"])
def test_an_unsigned_stream_is_refused_with_a_right_presigned_query(store: Store, place: str) -> None:
    headers, body = unsigned_stream(b"forged")
    if place == "X-Amz-Content-Sha256":
        headers.pop("x-amz-content-sha256")
        target = store.presigned("PUT", f"{OBJECT}?{place}=STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    else:
        target = store.presigned("PUT", OBJECT, headers)
    assert store.send("PUT", target, headers, body).refused


HEADERS = {
    "archive": {"x-amz-meta-snowball-auto-extract": "true"},
    "archive's prefix": {"X-Amz-Meta-Minio-Snowball-Prefix": "a"},
    "sealed key": {SEALED: "AAAA"},
    "time and tag of a source": {
        "X-Minio-Source-Mtime": "2001-01-01T00:00:00Z",
        "X-MINIO-SOURCE-ETAG": "d" * 32,
    },
    "own metadata": {"x-minio-meta-a": "b"},
    "forced deletion": {"x-minio-force-delete": "true"},
    "a header that the store does not know": {"x-minio-new": "a"},
    "replica": {"x-amz-replication-status": "REPLICA"},
    "customer's key": {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
    "customer's key of the source": {
        "x-amz-copy-source": OBJECT,
        "x-amz-copy-source-server-side-encryption-customer-key": "a",
    },
}


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
def test_headers_of_the_stores_own_are_refused_though_signed(
    store: Store, headers: dict[str, str], method: str
) -> None:
    answer = store.send(method, OBJECT, store.signed(method, OBJECT, headers))
    assert answer.status == 403
    assert method == "HEAD" or answer.refused
    answer = store.send(method, store.presigned(method, OBJECT, headers), headers)
    assert answer.status == 403
    assert method == "HEAD" or answer.refused


QUERIES = {
    "sealed key": f"{SEALED}=AAAA",
    "sealed key, encoded": "X%2Dminio-Replication-Server-Side-Encryption-Sealed-%4bey=AAAA",
    "archive": "X-Amz-Meta-Snowball-Auto-Extract=true",
    "replica": "x-amz-replication-status=REPLICA",
    "select": "select=&select-type=2",
    "select, encoded": "%73elect&select%2dtype=2",
    "lambda": "lambdaArn=arn:minio:s3-object-lambda::a:webhook",
    "broken escape": "a=%zz",
    "semicolon": "a=b;x-minio-c=d",
}


@pytest.mark.parametrize("method", ["PUT", "POST", "GET"])
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_queries_of_the_stores_own_are_refused_though_signed(store: Store, query: str, method: str) -> None:
    target = f"{OBJECT}?{query}"
    assert store.send(method, target, store.signed(method, target)).refused
    assert store.send(method, f"{target}&{forged_query('root')}").refused


UNSIGNED = {
    "copy source": ("x-amz-copy-source", "/models/latest"),
    "copy source, other case": ("X-AMZ-Copy-Source", "/models/latest"),
    "tags": ("x-amz-tagging", "a=b"),
    "storage class": ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    "lock": ("x-amz-object-lock-mode", "COMPLIANCE"),
    "metadata": ("x-amz-meta-a", "b"),
    "access list": ("x-amz-acl", "public-read"),
    "bypass": ("x-amz-bypass-governance-retention", "true"),
    "session": ("x-amz-security-token", "a"),
    "what nobody knows yet": ("x-amz-new", "a"),
}


@pytest.mark.parametrize("added", UNSIGNED.values(), ids=UNSIGNED.keys())
def test_a_header_that_the_signature_does_not_name_is_refused(store: Store, added: tuple[str, str]) -> None:
    name, value = added
    presigned = store.presigned("PUT", OBJECT)
    assert store.send("PUT", presigned, {name: value}).refused
    assert store.send("PUT", OBJECT, {**store.signed("PUT", OBJECT), name: value}).refused
    # A longer or a second list cannot be made without the secret; the first one is the signed one.
    listed = presigned.replace("SignedHeaders=host", f"SignedHeaders=host%3B{name.lower()}")
    assert store.send("PUT", listed, {name: value}).status == 403
    assert store.send("PUT", f"{presigned}&X-Amz-SignedHeaders=host%3B{name.lower()}", {name: value}).refused
    assert store.send("PUT", f"{presigned}&x-amz-signedheaders=host%3B{name.lower()}", {name: value}).refused
    twice = presigned.replace("SignedHeaders=host", f"SignedHeaders=host%253B{name.lower()}")
    assert store.send("PUT", twice, {name: value}).refused


def test_a_header_that_the_signature_names_passes(store: Store) -> None:
    headers = {"x-amz-storage-class": "STANDARD", "x-amz-meta-A": "b"}
    assert store.send("PUT", store.presigned("PUT", OBJECT, headers), headers, b"x").status == 200
    copied = {"x-amz-copy-source": OBJECT}
    assert store.send("PUT", f"{OBJECT}-2", store.signed("PUT", f"{OBJECT}-2", copied)).status == 200


OWN_PAGES = (
    "/minio", "/minio/", "/minio/admin/v3/info", "/minio/admin/v3/add-service-account",
    "/minio/v2/metrics/cluster", "/minio/metrics/v3", "/minio/prometheus/metrics",
    "/minio/kms/v1/status", "/minio/grid/v1", "/minio/storage/data/v63/readall",
    "/minio/health/cluster", "/minio/health/live?a", "/MINIO/admin/v3/info",
    "//minio/admin/v3/info", "/./minio/admin/v3/info", "/a/../minio/admin/v3/info",
    "/%6dinio/admin/v3/info", "/%2fminio/admin/v3/info", "/minio%2fadmin%2fv3%2finfo",
    "/%252fminio/admin", "/\\minio/admin/v3/info", "/%2e/minio/admin/v3/info",
    "/.minio.sys/config/config.json",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("target", OWN_PAGES)
def test_the_stores_own_pages_are_refused(store: Store, target: str, method: str) -> None:
    assert store.send(method, target).refused
    assert store.send(method, target, store.signed(method, target)).refused


def test_whether_the_store_lives_may_be_asked(store: Store) -> None:
    assert store.send("GET", "/minio/health/live").status == 200


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ASSUME = b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=604800"


@pytest.mark.parametrize("path", ["/", "//", "/?", f"/{BUCKET}", OBJECT])
@pytest.mark.parametrize("form", [FORM, {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"}, {}])
def test_the_token_service_is_refused(store: Store, path: str, form: dict[str, str]) -> None:
    signed = store.signed("POST", path, form, ASSUME)
    assert store.send("POST", path, signed, ASSUME).refused
    assert store.send("POST", path, {**signed, "Authorization": forged_header("root")}, ASSUME).refused
    assert store.send("POST", path, form, ASSUME).refused
    action = f"/?{ASSUME.decode()}WithWebIdentity&WebIdentityToken=a"
    assert store.send("POST", action, form).refused


OTHERS = {
    "version 2": {"Authorization": "AWS client:c2lnbmF0dXJl"},
    "token": {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.a"},
    "basic": {"Authorization": "Basic YTpi"},
    "empty": {"Authorization": ""},
    "none": {},
    "without a list": {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b, Signature=00"},
    "two lists": {"Authorization": forged_header("root") + ", SignedHeaders=host"},
    "version 4a": {"Authorization": forged_header("root").replace("HMAC", "ECDSA-P256")},
}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("headers", OTHERS.values(), ids=OTHERS.keys())
def test_other_credentials_are_refused(store: Store, headers: dict[str, str], method: str) -> None:
    answer = store.send(method, OBJECT, headers)
    assert answer.status == 403
    assert method == "HEAD" or answer.refused


def test_two_authorization_headers_are_refused(store: Store) -> None:
    right = list(store.signed("GET", OBJECT).items())
    assert store.send("GET", OBJECT, [*right, ("Authorization", forged_header("root"))]).status == 400
    assert store.send("GET", OBJECT, [("authorization", forged_header("root")), *right]).status == 400


ADDED = {
    "another version": "versionId=null",
    "metadata": "x-amz-meta-a=b",
    "storage class": "X-Amz-Storage-Class=REDUCED_REDUNDANCY",
    "tags": "x-amz-tagging=a%3Db",
    "retention": "retention",
    "select": "select&select-type=2",
    "what nobody knows yet": "new=1",
    "covered keys in a value": "new=%26versionId=null",
    "expiry twice": "Expires=9999999999",
    "another spelling": "awsaccesskeyid=root",
    "part of version 4": "X-Amz-Credential=root",
}


@pytest.mark.parametrize("added", ADDED.values(), ids=ADDED.keys())
def test_a_query_of_version_2_takes_no_more(store: Store, added: str) -> None:
    """Version 2 covers some keys only; boto3 and awscli presign with it by default."""
    target = store.presigned_old("PUT", OBJECT)
    assert store.send("PUT", target, body=b"x").status == 200
    assert store.send("PUT", f"{target}&{added}", body=b"x").status == 403
    assert store.send("PUT", target, {"x-amz-tagging": "a=b"}, b"x").status == 403
    headers, body = unsigned_stream(b"forged")
    assert store.send(
        "PUT", f"{OBJECT}?AWSAccessKeyId=root&Signature=a&Expires=9999999999", headers, body
    ).refused
