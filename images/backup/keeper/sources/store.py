"""The object store as a backup reads it: listings, and objects one by one as streams."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    SSLError,
)

from ..core.objects import Listed
from ..core.settings import Place
from .shrinking import Sampled

CHUNK = 2**20
WORKERS = 4
# What an object brings along and is put back with.
HEADERS = (
    "ContentType",
    "ContentEncoding",
    "ContentDisposition",
    "ContentLanguage",
    "CacheControl",
    "Metadata",
)
# Not the object's fault: with these no other one could be read either.
OURS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken"})
MISSING = frozenset({"NoSuchKey", "404", "NotFound", "MethodNotAllowed"})
# After so many failures in a row the store is asked whether it still answers at all.
DOUBT = 20


class StoreError(Exception):
    """The store as a whole does not answer; the text says why."""


@dataclass(frozen=True)
class Fetched:
    """What came of reading `wanted`: a file at `path`, or neither path nor `reason` when it is gone.

    `got` is `wanted`, or what was written in its place meanwhile. Compression saves `shrinks` of its size.
    """

    wanted: Listed
    got: Listed
    path: Path | None = None
    sha256: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)
    shrinks: float = 0.0
    reason: str = ""


def client(
    place: Place, key: str | None = None, secret: str | None = None, config: Config | None = None
) -> Any:
    """An S3 client; without `key` and `secret` with those of the shared file, read anew."""
    settings = Config(
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=WORKERS,
        # Else a checksum is looked for in the answer to a failure, and botocore itself fails on it.
        response_checksum_validation="when_required",
    )
    return boto3.session.Session(key, secret, region_name=place.region).client(
        "s3",
        endpoint_url=place.endpoint,
        verify=place.authority,
        config=settings.merge(config) if config else settings,
    )


def said(error: Exception) -> str:
    """An error in a few words."""
    if isinstance(error, ClientError):
        found = error.response.get("Error", {})
        return f"{found.get('Code', '?')}: {found.get('Message', '')}"[:200]
    return f"{type(error).__name__}: {error}"[:200]


def listing(s3: Any, bucket: str, prefix: str = "") -> Iterator[list[Listed]]:
    """Pages of the bucket's objects. Raises StoreError."""
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield [_listed(bucket, entry) for entry in page.get("Contents", [])]
    except Exception as error:
        raise StoreError(f"bucket {bucket} cannot be listed: {said(error)}") from None


def _listed(bucket: str, entry: Mapping[str, Any]) -> Listed:
    return Listed(bucket, entry["Key"], entry["Size"], entry["ETag"], _time(entry["LastModified"]))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def fetch(s3: Any, wanted: Iterable[Listed], folder: Path) -> Iterator[Fetched]:
    """Read each object into a file of `folder`, several at a time. Raises StoreError."""
    failures = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for fetched in _bounded(pool, wanted, lambda one, name: fetch_one(s3, one, folder / name)):
                failures = failures + 1 if fetched.reason else 0
                if failures and failures % DOUBT == 0:
                    next(listing(s3, fetched.wanted.bucket), None)
                yield fetched
        finally:
            pool.shutdown(cancel_futures=True)


def _bounded(
    pool: ThreadPoolExecutor, wanted: Iterable[Listed], work: Callable[[Listed, str], Fetched]
) -> Iterator[Fetched]:
    running: set[Future[Fetched]] = set()
    for number, one in enumerate(wanted):
        running.add(pool.submit(work, one, str(number)))
        if len(running) >= 2 * WORKERS:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in running:
        yield future.result()


def fetch_one(s3: Any, wanted: Listed, path: Path) -> Fetched:
    """Read one object into `path`. Raises StoreError for what is not the object's own fault."""
    reason = ""
    for _ in range(2):  # A connection may break in the middle, and then is as good as new.
        try:
            return _read(s3, wanted, path)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in OURS:
                raise StoreError(said(error)) from None
            if code in MISSING and not _exists(s3, wanted):
                return Fetched(wanted, wanted)
            return Fetched(wanted, wanted, reason=said(error))
        except (EndpointConnectionError, NoCredentialsError, SSLError, StoreError) as error:
            raise StoreError(said(error)) from None
        except OSError as error:
            raise StoreError(f"staging cannot be written: {error.strerror}") from None
        except Exception as error:  # Whatever an object's answer does to the library: the others are saved.
            reason = said(error)
    return Fetched(wanted, wanted, reason=reason)


def _read(s3: Any, wanted: Listed, path: Path) -> Fetched:
    answer = s3.get_object(Bucket=wanted.bucket, Key=wanted.key)
    digest, sampled, size = hashlib.sha256(), Sampled(), 0
    with path.open("wb") as file:
        for chunk in answer["Body"].iter_chunks(CHUNK):
            digest.update(chunk)
            sampled.look(chunk)
            file.write(chunk)
            size += len(chunk)
    got = wanted
    if (answer["ETag"], size) != (wanted.etag, wanted.size):
        got = Listed(wanted.bucket, wanted.key, size, answer["ETag"], _time(answer["LastModified"]))
    headers = {name: answer[name] for name in HEADERS if answer.get(name)}
    return Fetched(wanted, got, path, digest.hexdigest(), headers, sampled.share)


def _exists(s3: Any, wanted: Listed) -> bool:
    """Whether the store still lists what it says is not there."""
    first = next(listing(s3, wanted.bucket, wanted.key), [])
    return any(listed.key == wanted.key for listed in first)
