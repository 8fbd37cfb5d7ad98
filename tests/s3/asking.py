"""Small questions that the tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    """The code with which a call is refused; the test fails where it is not.

    A server that breaks (5xx) has refused nothing.
    """
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    status = int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])
    assert 400 <= status < 500, f"{status}: {caught.value}"
    return str(caught.value.response["Error"]["Code"])


def read(client: Any, bucket: str, key: str, **options: Any) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key, **options)["Body"].read())


def there(client: Any, bucket: str, key: str) -> bool:
    """Whether an object is there, readable or not."""
    listed = client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ())
    return any(found["Key"] == key for found in listed)


def keys(client: Any, bucket: str, prefix: str, **options: Any) -> list[str]:
    """All keys below a prefix, page by page."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options)
    return [found["Key"] for page in pages for found in page.get("Contents", ())]
