"""Object stores behind one small interface: S3 and, for runs on bare metal, a directory.

Keys are `bucket/path/to/object`. A put is atomic in both: a reader sees the old object or
the new one, never a part.
"""

# ruff: noqa: PLC0415  (boto3 costs half a second, and bare runs do without it)
from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmark.core.errors import MissingError, StoreError

TEMPORARY = ".put-"
TAKEN = object()  # the answer where a condition of the caller's is not met


class Body(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Store(Protocol):
    def put(self, key: str, data: bytes) -> None: ...

    def put_file(self, key: str, path: Path) -> None:
        """Put the content of a file, in pieces."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Put it only where there is no such object: False where there is one. Atomic."""
        ...

    def get(self, key: str) -> bytes:
        """Raises StoreError that names the key when the object is missing."""
        ...

    def open(self, key: str) -> AbstractContextManager[Body]:
        """The object as a stream; raises like `get`."""
        ...

    def exists(self, key: str) -> bool: ...

    def list(self, prefix: str) -> list[str]:
        """Keys that begin with `prefix`, bucket included, sorted."""
        ...

    def sizes(self, prefix: str) -> dict[str, int]:
        """The same, each with its bytes."""
        ...

    def delete(self, key: str) -> None: ...

    def describe(self) -> str: ...


class DirectoryStore:
    """Objects as files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: str, data: bytes) -> None:
        path = self.root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error

    def put_file(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def create(self, key: str, data: bytes) -> bool:
        path = self.root / key
        temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        self.put(temporary.relative_to(self.root).as_posix(), data)
        try:
            os.link(temporary, path)  # unlike a rename it refuses a name that is taken
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def get(self, key: str) -> bytes:
        with self.open(key) as body:
            return body.read()

    @contextmanager
    def open(self, key: str) -> Iterator[Body]:
        try:
            with (self.root / key).open("rb") as file:
                yield file
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise MissingError(f"{key}: no such object in {self.describe()}") from None
        except OSError as error:
            raise StoreError(f"{key}: cannot be read from {self.describe()}: {error.strerror}") from error

    def exists(self, key: str) -> bool:
        return (self.root / key).is_file()

    def list(self, prefix: str) -> list[str]:
        """As in S3 a prefix is the beginning of a name, not a folder: `a/mlp` is one of `a/mlp-wide/x`."""
        folder = self.root / prefix.rpartition("/")[0]
        files = (f for f in folder.rglob("*") if f.is_file() and not f.name.startswith(TEMPORARY))
        return sorted(key for f in files if (key := f.relative_to(self.root).as_posix()).startswith(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        return {key: (self.root / key).stat().st_size for key in self.list(prefix)}

    def delete(self, key: str) -> None:
        try:
            (self.root / key).unlink(missing_ok=True)
        except (IsADirectoryError, NotADirectoryError):
            pass  # there is no such object
        except OSError as error:
            raise StoreError(f"{key}: cannot be deleted: {error.strerror}") from error

    def describe(self) -> str:
        return f"directory {self.root}"


class S3Store:
    """Any S3 service. Without arguments it follows the standard AWS_* variables."""

    def __init__(
        self,
        endpoint: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        ca_bundle: str | None = None,
        *,
        region: str | None = None,
    ) -> None:
        # Imported here: boto3 costs half a second, and bare runs do without it.
        import boto3
        from botocore.config import Config

        self.endpoint = (
            endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        )
        try:
            self.client: Any = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                region_name=region or os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
                verify=ca_bundle,
                config=Config(
                    s3={"addressing_style": "path"},
                    # The stack is reached directly, whatever *_proxy variable the shell has.
                    proxies={},
                    # Newer defaults send checksums that some S3 services refuse.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    connect_timeout=5,
                    read_timeout=60,
                    retries={"max_attempts": 4, "mode": "standard"},
                ),
            )
        except Exception as error:
            raise StoreError(f"object store {self.endpoint}: cannot be set up: {error}") from error

    def put(self, key: str, data: bytes) -> None:
        self._call("put_object", key, Body=data)

    def put_file(self, key: str, path: Path) -> None:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, name = key.partition("/")
        try:
            self.client.upload_file(str(path), bucket, name)
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise StoreError(f"{key}: cannot be written to {self.describe()}: {error}") from error

    def create(self, key: str, data: bytes) -> bool:
        return self._call("put_object", key, Body=data, IfNoneMatch="*") is not TAKEN

    def get(self, key: str) -> bytes:
        with self.open(key) as body:
            return body.read()

    @contextmanager
    def open(self, key: str) -> Iterator[Body]:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        body = self._call("get_object", key)["Body"]
        try:
            yield body
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StoreError(f"{key}: reading from {self.describe()} broke off: {error}") from error
        finally:
            body.close()

    def exists(self, key: str) -> bool:
        try:
            self._call("head_object", key)
        except StoreError as error:
            if "no such object" in str(error):
                return False
            raise
        return True

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key, _ in self._rows(prefix))

    def sizes(self, prefix: str) -> dict[str, int]:
        return dict(sorted((key, int(row["Size"])) for key, row in self._rows(prefix)))

    def _rows(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        bucket, _, rest = prefix.partition("/")
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", f"{bucket}/", Prefix=rest, **token)
            yield from ((f"{bucket}/{row['Key']}", row) for row in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        self._call("delete_object", key)

    def describe(self) -> str:
        return f"object store {self.endpoint}"

    def _call(self, operation: str, key: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, path = key.partition("/")
        if path:
            arguments["Key"] = path
        try:
            return getattr(self.client, operation)(Bucket=bucket, **arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "PreconditionFailed":
                return TAKEN
            if code in {"NoSuchKey", "404", "NotFound"}:
                raise MissingError(f"{key}: no such object in {self.describe()}") from None
            if code == "NoSuchBucket":
                raise StoreError(f"{key}: no bucket {bucket!r} in {self.describe()}") from None
            raise StoreError(f"{key}: {self.describe()} refused {operation}: {error}") from error
        except BotoCoreError as error:
            raise StoreError(
                f"{key}: {self.describe()} cannot be reached ({operation}): {error}. Is the stack up?"
            ) from error


def open_store(url: str) -> Store:
    """`s3://` follows the AWS_* variables; anything else is a directory."""
    return S3Store() if url.startswith("s3:") else DirectoryStore(Path(url).absolute())
