"""Objects out of a snapshot: their names, one as a stream, and back into a bucket.

The backup's own S3 key only reads. Who puts objects back gives a key of their own, on standard input.
"""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from ..core import objects, series
from ..core.objects import Saved, shown
from ..core.settings import STAGING, Place
from ..sources import databases, store, vault
from ..sources.configuration import path_of
from ..sources.staging import Staging
from ..sources.vault import VaultError


class RestoreError(Exception):
    """It cannot be restored; the text says what and why."""


def entries(
    snapshot: str, bucket: str | None = None, prefix: str = "", *, folder: Path | None = None
) -> Iterator[Saved]:
    """The manifest's objects; `folder` is the snapshot's. Raises VaultError and objects.ManifestError."""
    manifest = Staging(STAGING).manifest
    lines = _lines(vault.dump(snapshot, folder / manifest.name if folder else manifest))
    for saved in objects.read(lines):
        if bucket in (None, saved.listed.bucket) and saved.listed.key.startswith(prefix):
            yield saved


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("ascii") for line in whole)
    if rest:
        yield rest.decode("ascii")


def content(snapshot: str, saved: Saved, into: BinaryIO) -> None:
    """Write one object's bytes. Raises RestoreError when there is no copy, or another one than was saved."""
    if saved.file is None:
        raise RestoreError(f"{shown(saved.listed.key)} is not in the snapshot: {saved.unreadable}")
    digest = hashlib.sha256()
    for chunk in vault.dump(snapshot, Staging(STAGING).snapshot / saved.file):
        digest.update(chunk)
        into.write(chunk)
    if digest.hexdigest() != saved.sha256:
        raise RestoreError(f"{shown(saved.listed.key)} came back with another content than was saved")


def cat(snapshot: str, bucket: str, key: str) -> None:
    """Print one object. Raises RestoreError."""
    for saved in entries(snapshot, bucket, key):
        if saved.listed.key == key:
            content(snapshot, saved, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return
    raise RestoreError(f"there is no {shown(key)} in bucket {bucket} of this snapshot")


def dump(snapshot: str, database: str) -> None:
    """Print the dump of one database. Raises VaultError when the snapshot has none of it."""
    for chunk in vault.dump(snapshot, databases.path_of(database, Staging(STAGING))):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def configuration(snapshot: str, name: str) -> None:
    """Print a file of the stack's configuration. Raises VaultError when the snapshot has none of it."""
    for chunk in vault.dump(snapshot, path_of(Staging(STAGING).snapshot, name)):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def restore(snapshot: str, place: Place, bucket: str, prefix: str, into: str | None) -> int:
    """Put objects back into `bucket`, or into the bucket `into`; return how many could not be.

    All files of the snapshot come as one stream, in the order of their names: one process of restic for all
    of them, and no second copy on disk.
    """
    s3 = store.client(place, *_credentials())
    room = Staging(STAGING).temporary
    room.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=room) as folder, Wanted(Path(folder, "wanted.sqlite")) as wanted:
        wanted.add(entries(snapshot, bucket, prefix))
        put = 0
        for name, file in _stream(snapshot):
            if (saved := wanted.take(name)) is None:
                continue
            try:
                _put(s3, saved, into or bucket, file, Path(folder, "object"))
                put += 1
            except (RestoreError, ClientError, BotoCoreError, Boto3Error) as error:
                wanted.failed(saved, str(error) if isinstance(error, RestoreError) else store.said(error))
        failed = 0
        for saved, reason in wanted.left():
            failed += 1
            print(f"{bucket}/{shown(saved.listed.key)}: {reason}", file=sys.stderr)
    print(f"{put} objects put into {into or bucket}, {failed} could not be")
    return failed


class Wanted:
    """What is still to be put back, by the name of its file; on disk, since it may be millions."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute("create table wanted (file text, line text, reason text)")
        self.db.execute("create index by_file on wanted (file)")

    def __enter__(self) -> Wanted:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def add(self, found: Iterator[Saved]) -> None:
        rows = ((s.file, objects.encode(s), s.unreadable or "is not in the snapshot") for s in found)
        self.db.executemany("insert into wanted values (?, ?, ?)", rows)

    def take(self, file: str) -> Saved | None:
        row = self.db.execute("select line from wanted where file = ?", (file,)).fetchone()
        self.db.execute("delete from wanted where file = ?", (file,))
        return objects.decode(row[0]) if row else None

    def failed(self, saved: Saved, reason: str) -> None:
        self.db.execute("insert into wanted values (null, ?, ?)", (objects.encode(saved), reason))

    def left(self) -> Iterator[tuple[Saved, str]]:
        for line, reason in self.db.execute("select line, reason from wanted order by line"):
            yield objects.decode(line), reason


def _stream(snapshot: str) -> Iterator[tuple[str, BinaryIO]]:
    """Name below the snapshot's folder and content of every file."""
    folder = Staging(STAGING).snapshot
    with vault.dumping(snapshot, folder, "--archive", "tar") as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isfile() and (file := archive.extractfile(member)):
                    name = "/" + member.name.lstrip("/")
                    yield name.removeprefix(f"{folder}/").lstrip("/"), cast(BinaryIO, file)
        while stream.read(2**20):  # what stands after the archive's end
            pass


def _put(s3: Any, saved: Saved, bucket: str, content: BinaryIO, path: Path) -> None:
    """Through a file: only what has the right hash is put, and a large one in parts. Raises RestoreError."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := content.read(2**20):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != saved.sha256:
        raise RestoreError("came back with another content than was saved")
    if saved.listed.size:
        s3.upload_file(str(path), bucket, saved.listed.key, ExtraArgs=dict(saved.headers))
    else:
        # With an empty body MinIO leaves the connection unusable for half a minute after a folder's marker.
        s3.put_object(Bucket=bucket, Key=saved.listed.key, **saved.headers)


def _credentials() -> tuple[str, str]:
    """Of the profile `default` of an AWS credentials file on standard input. Raises RestoreError."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_file(io.TextIOWrapper(sys.stdin.buffer))
        found = parser["default"]
        return found["aws_access_key_id"], found["aws_secret_access_key"]
    except (configparser.Error, KeyError, UnicodeDecodeError):
        fix = "give an AWS credentials file with a key that may write there on standard input"
        raise RestoreError(f"there are no credentials: {fix}") from None


def listed(snapshot: str = "latest") -> list[dict[str, Any]]:
    """Every snapshot with a manifest, or the one of that name. Raises VaultError when there is none."""
    done = vault.restic("snapshots", "--json", "--no-lock", *([] if snapshot == "latest" else [snapshot]))
    kept = str(STAGING / "snapshot")
    found = [s for s in json.loads(done.stdout or "[]") if s["paths"] == [kept]]
    if not found:
        raise VaultError(f"no snapshot {snapshot} with a manifest; earlier ones: restic snapshots")
    return found


def resolve(snapshot: str, source: str) -> str:
    """The whole name of a snapshot; for `latest`, of the newest one that holds the source.

    Raises VaultError when there is none.
    """
    found = [s for s in listed(snapshot) if snapshot != "latest" or series.holds(s, source)]
    if not found:
        raise VaultError(f"no snapshot holds {source}: no job saves it (backup.jobs)")
    return str(max(found, key=series.arrival)["id"])


def keys(snapshot: str, bucket: str | None, prefix: str) -> None:
    """Print one line of JSON an object; for `latest` from the newest snapshot of each bucket."""
    if bucket or snapshot != "latest":
        name = resolve(snapshot, f"{series.BUCKET}{bucket}")
        for saved in entries(name, bucket, prefix):
            print(objects.encode(saved))
        return
    known = listed()
    newest = max(known, key=series.arrival)
    named = [source for source in series.sources_of(known) if source.startswith(series.BUCKET)]
    picks = series.compose(known, named, None, emptied=True)
    own = {source.removeprefix(series.BUCKET): str(p.snapshot["id"]) for source, p in picks.items()}
    for name in dict.fromkeys([*own.values()] or [str(newest["id"])]):
        for saved in entries(name, None, prefix):
            if own.get(saved.listed.bucket, name) == name:
                print(objects.encode(saved))
