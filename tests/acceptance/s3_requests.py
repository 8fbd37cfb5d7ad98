"""S3 requests made by hand, honestly signed or with a made-up signature."""

from __future__ import annotations

import base64
import http.client
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BUCKET = "results"
KEY = "edge/object"
REFUSED = b"Refused by the load balancer"
NOBODY = "0" * 64
Headers = Mapping[str, str]
NONE: Headers = MappingProxyType({})


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def refused(self) -> bool:
        """By the load balancer itself, for what the request is."""
        return self.status == 403 and REFUSED in self.body


@dataclass(frozen=True)
class Store:
    """The S3 endpoint of the stack, and the keys of the outside user."""

    endpoint: str
    ca_file: str
    access_key: str
    secret_key: str = field(repr=False)

    def send(
        self,
        method: str,
        target: str,
        headers: Headers | list[tuple[str, str]] = NONE,
        body: bytes = b"",
    ) -> Answer:
        """The target and the headers as they are, names twice too; a length is added."""
        parts = urlsplit(self.endpoint)
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=context, timeout=30
        )
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            if name.lower() != "content-length":
                connection.putheader(name, value)
        if body or method in {"PUT", "POST"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.read())
        connection.close()
        return found

    def signed(self, method: str, target: str, headers: Headers = NONE, body: bytes = b"") -> dict[str, str]:
        """Headers with a right signature of version 4 that names all of them."""
        request = self._request(method, target, headers, body)
        request.context["payload_signing_enabled"] = True
        if headers.get("x-amz-content-sha256", "").startswith("STREAMING-UNSIGNED"):
            request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        S3SigV4Auth(self._credentials(), "s3", "us-east-1").add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}

    def presigned(self, method: str, target: str, headers: Headers = NONE) -> str:
        """A right presigned target; `headers` are named by its signature and must be sent with it."""
        request = self._request(method, target, headers, b"")
        S3SigV4QueryAuth(self._credentials(), "s3", "us-east-1", expires=600).add_auth(request)
        return str(request.url)[len(self.endpoint) :]

    def presigned_old(self, method: str, target: str) -> str:
        """The same with a signature of version 2."""
        request = self._request(method, target, NONE, b"")
        HmacV1QueryAuth(self._credentials(), expires=600).add_auth(request)
        return str(request.url)[len(self.endpoint) :]

    def _credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret_key)

    def _request(self, method: str, target: str, headers: Headers, body: bytes) -> Any:
        return AWSRequest(method=method, url=self.endpoint + target, data=body, headers=dict(headers))


def now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def forged_query(user: str, **changed: str) -> str:
    """The presigned query of somebody who knows only a name."""
    date = now()
    parts = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{user}%2F{date[:8]}%2Fus-east-1%2Fs3%2Faws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": "600",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": NOBODY,
        **changed,
    }
    return "&".join(f"{name}={value}" for name, value in parts.items())


def forged_header(user: str, signed: str = "host;x-amz-content-sha256;x-amz-date") -> str:
    scope = f"{now()[:8]}/us-east-1/s3/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={signed}, Signature={NOBODY}"


def unsigned_stream(content: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of an upload whose chunks nobody signs, as clients send it under a signature."""
    checksum = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(content), content, checksum.encode())
    return {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(content)),
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
        "x-amz-date": now(),
    }, body
