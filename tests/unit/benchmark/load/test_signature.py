"""Signatures as S3 expects them."""

from __future__ import annotations

from datetime import UTC, datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmark.load.signature import EMPTY, Keys, signed


def test_a_signature_is_that_of_botocore() -> None:
    keys, path = Keys("AKIAEXAMPLE", "secret/example"), "/results/bench storage/a+b"
    found = signed(keys, "PUT", host="10.0.0.1:9000", path=path, digest=EMPTY, moment=datetime.now(UTC))
    request = AWSRequest(
        method="PUT",
        url="http://10.0.0.1:9000/results/bench%20storage/a%2Bb",
        headers={"host": "10.0.0.1:9000"},
    )
    request.headers["X-Amz-Date"] = found["x-amz-date"]
    request.context["timestamp"] = found["x-amz-date"]
    request.headers["X-Amz-Content-SHA256"] = EMPTY
    auth = S3SigV4Auth(Credentials(keys.access_key, keys.secret_key), "s3", "us-east-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    assert found["authorization"].endswith(f"Signature={auth.signature(text, request)}")


def test_a_secret_is_not_in_the_representation() -> None:
    assert "hidden" not in repr(Keys("id", "hidden"))
