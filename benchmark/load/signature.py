"""AWS Signature Version 4 for S3 requests, by hand: botocore would hash the same body again for each request.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

EMPTY = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Keys:
    """An S3 identity."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


def signed(keys: Keys, method: str, *, host: str, path: str, digest: str, moment: datetime) -> dict[str, str]:
    """The headers of a request without a query; `digest` is the SHA-256 of its body, `moment` in UTC."""
    date = moment.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": date}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{quote(path, safe='/-_.~')}\n\n{lines}\n{names}\n{digest}"
    scope = f"{date[:8]}/{keys.region}/s3/aws4_request"
    text = f"{ALGORITHM}\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={keys.access_key}/{scope}"
    return {
        **headers,
        "authorization": f"{ALGORITHM} {credential},SignedHeaders={names},Signature={signature}",
    }
