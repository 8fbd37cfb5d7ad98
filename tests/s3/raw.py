"""Requests as no library would send them: forged, or with headers that a signature does not name."""

from __future__ import annotations

import base64
import http.client
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.s3.server import REGION, Identity, Server

NO_SIGNATURE = "0" * 64


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refused(self) -> bool:
        """A server that breaks (5xx) has refused nothing."""
        return 400 <= self.status < 500


def send(
    server: Server,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request on a connection of its own, at most 30 s; the target goes out as it is."""
    parts = urlsplit(server.endpoint)
    context = ssl.create_default_context(cafile=server.ca_file)
    connection = http.client.HTTPSConnection(
        str(parts.hostname), parts.port or 443, context=context, timeout=30
    )
    try:
        # http.client refuses control characters; what they do is the server's to say.
        connection._validate_path = lambda _: None  # type: ignore[attr-defined]
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def signed(  # noqa: PLR0917
    server: Server,
    who: Identity,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    service: str = "s3",
) -> dict[str, str]:
    """All headers of a request with a right signature over them."""
    request = AWSRequest(method=method, url=server.endpoint + target, data=body, headers=dict(headers or {}))
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(who.id, who.secret), service, REGION).add_auth(request)
    return dict(request.headers.items())


def send_signed(  # noqa: PLR0917
    server: Server,
    who: Identity,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    return send(server, method, target, signed(server, who, method, target, headers, body), body or None)


def presigned(server: Server, who: Identity, method: str, bucket: str, key: str) -> str:
    """Path and query of a presigned request whose signature names no header but the host."""
    call = {"PUT": "put_object", "GET": "get_object"}[method]
    url = server.client(who, request_checksum_calculation="when_required").generate_presigned_url(
        call, Params={"Bucket": bucket, "Key": key}, ExpiresIn=300
    )
    return str(url).removeprefix(server.endpoint)


def forged_query(key_id: str) -> str:
    """A presigned query with an id that somebody knows and a signature that nobody made."""
    when = now()
    credential = quote(f"{key_id}/{when[:8]}/{REGION}/s3/aws4_request", safe="")
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={when}"
        f"&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={NO_SIGNATURE}"
    )


def forged_header(key_id: str) -> str:
    """The same as an Authorization header."""
    names = "host;x-amz-content-sha256;x-amz-date"
    scope = f"{key_id}/{now()[:8]}/{REGION}/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={NO_SIGNATURE}"


def unsigned_stream(body: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of an upload in chunks whose only check is a checksum that anybody can make."""
    checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))
    chunks = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(body), body, checksum)
    return {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
        "x-amz-date": now(),
    }, chunks
