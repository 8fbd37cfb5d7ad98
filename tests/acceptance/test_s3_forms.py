"""Forms that upload to S3 pass only without fields of the store's own."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.acceptance.s3_requests import BUCKET, KEY, REFUSED, Store, now


def form_post(store: Store, s3: Any, *fields: tuple[str, str], policy: Any = None) -> requests.Response:
    """A form upload that allows `policy` beside the usual; `fields` stand before its own."""
    post = s3.generate_presigned_post(BUCKET, f"{KEY}-form", Conditions=policy)
    parts = [(name, (None, value)) for name, value in [*fields, *post["fields"].items()]]
    return requests.post(post["url"], files=[*parts, ("file", ("a", b"x"))], verify=store.ca_file, timeout=30)


def test_an_honest_form_passes(store: Store, s3: Any) -> None:
    assert form_post(store, s3).status_code == 204


FIELDS = {
    "sealed key": ("X-Minio-Replication-Server-Side-Encryption-Sealed-Key", "AAAA"),
    "customer's key": ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    "fan-out": ("x-minio-fanout-list", '{"key": "a"}'),
}


@pytest.mark.parametrize("padding", [0, 20_000], ids=["at once", "behind 20 kB"])
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
def test_a_form_with_a_field_of_the_stores_own_is_refused(
    store: Store, s3: Any, field: tuple[str, str], padding: int
) -> None:
    fields = [("x-ignore-a", "a" * padding), field] if padding else [field]
    answer = form_post(store, s3, *fields, policy=[{field[0]: field[1]}])
    assert answer.status_code == 403
    assert REFUSED in answer.content


TRICKS = {
    "file in a value": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx --b\r\n'
    b'Content-Disposition: form-data; name="file"\r\n\r\nx',
    "capital file": b'--b\r\nContent-Disposition: form-data; name="FILE"\r\n\r\nx\r\n--b--\r\n',
    "two names": b'--b\r\nContent-Disposition: form-data; name="file"; name="x-minio-a"\r\n\r\nx',
    "folded": b'--b\r\nContent-Disposition: form-data;\r\n name="x-minio-a"\r\n\r\nx\r\n--b--\r\n',
    "preamble": b'a\r\n--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
    "escaped": b'--b\r\nContent-Disposition: form-data; name="x\\-minio-a"\r\n\r\nx\r\n--b--\r\n',
}


@pytest.mark.parametrize("body", TRICKS.values(), ids=TRICKS.keys())
def test_a_form_that_could_be_read_in_two_ways_is_refused(store: Store, body: bytes) -> None:
    assert store.send("POST", f"/{BUCKET}", {"Content-Type": "multipart/form-data; boundary=b"}, body).refused
    plain = {"Content-Type": "multipart/form-data; boundary*0=b", "x-amz-date": now()}
    assert store.send("POST", f"/{BUCKET}", plain, body).refused
