"""Objects out of a snapshot back into the store: put, and read back from there, several at a time.

All copies come as one stream, in the order of their names: one process of restic for all of them. Where that
breaks off, because a pack is damaged, what is left is asked for object by object, and only what cannot be
read is lost. Memory use does not grow with the size or the number of objects.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from ..core.objects import Saved
from ..core.progress import Progress
from ..sources import store, vault
from ..sources.vault import VaultError
from .ledger import Ledger

CHUNK = 2**20
PART = 16 * 2**20
# Each worker sends one part at a time: threads of boto3's own would multiply what is held in memory.
TRANSFER = TransferConfig(multipart_threshold=4 * PART, multipart_chunksize=PART, use_threads=False)
OTHER = "the store holds another content than was saved"
BROKEN = "the vault gave another content than was saved"
# What the library raises for one object: the others are tried nevertheless.
S3_ERRORS = (ClientError, BotoCoreError, Boto3Error)
Outcome = tuple[Saved, str]


@dataclass(frozen=True)
class Copies:
    """Where the contents come from: a snapshot with its folder. `room` is for their files.

    `buckets` are those that are taken from this snapshot.
    """

    snapshot: str
    folder: Path
    room: Path
    buckets: frozenset[str]


def refill(copies: Copies, s3: Any, ledger: Ledger, progress: Progress) -> None:
    """Put every wanted object of these buckets; `ledger` has the outcome."""
    if not copies.buckets:
        return
    progress.step("objects", *ledger.totals("wanted"))
    with ThreadPoolExecutor(store.WORKERS) as pool:
        jobs = _uploads(_wanted(copies, ledger), s3)
        for saved, reason in bounded(pool, jobs):
            ledger.mark(saved, "failed" if reason else "put", reason)
            progress.add(1, saved.listed.size)
    ledger.db.commit()


def verify(s3: Any, ledger: Ledger, state: str, progress: Progress, step: str) -> None:
    """Read every object in `state` from the store; afterwards each is verified or failed."""
    progress.step(step, *ledger.totals(state))
    with ThreadPoolExecutor(store.WORKERS) as pool:
        for saved, reason in bounded(pool, (partial(stored, s3, one) for one in ledger.having(state))):
            ledger.mark(saved, "failed" if reason else "verified", reason)
            progress.add(1, saved.listed.size)
    ledger.db.commit()


def bounded(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], Outcome]]) -> Iterator[Outcome]:
    """The outcomes as they come; no job is taken while twice as many as there are workers wait."""
    running: set[Future[Outcome]] = set()
    for job in jobs:
        running.add(pool.submit(job))
        if len(running) >= 2 * store.WORKERS:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in running:
        yield future.result()


def stored(s3: Any, saved: Saved) -> Outcome:
    """Why the store does not hold the object as it was saved; an empty reason when it does."""
    digest = hashlib.sha256()
    try:
        answer = s3.get_object(Bucket=saved.listed.bucket, Key=saved.listed.key)
        for chunk in answer["Body"].iter_chunks(CHUNK):
            digest.update(chunk)
    except S3_ERRORS as error:
        return saved, f"the store does not give it back: {store.said(error)}"
    return saved, "" if digest.hexdigest() == saved.sha256 else OTHER


def _uploads(files: Iterable[tuple[Saved, Path | None, str]], s3: Any) -> Iterator[Callable[[], Outcome]]:
    for saved, path, reason in files:
        yield partial(_upload, s3, saved, path, reason)


def _upload(s3: Any, saved: Saved, path: Path | None, reason: str) -> Outcome:
    return saved, _put(s3, saved, path) if path else reason


def _wanted(copies: Copies, ledger: Ledger) -> Iterator[tuple[Saved, Path | None, str]]:
    """Every wanted object with a file that holds it, or the reason why there is none."""
    number, current = 0, None
    try:
        for name, content in _stream(copies):
            saved = ledger.by_file(name)
            if saved is None or saved.listed.bucket not in copies.buckets:
                continue
            number += 1
            # Until its outcome is marked, it must not come a second time.
            ledger.mark(saved, "under way")
            current = saved
            checked = _checked(saved, _pieces(content), copies.room / f"{number}")
            current = None
            yield checked
    except (VaultError, tarfile.TarError):
        if current:  # It was cut off in the middle of this one.
            ledger.mark(current, "wanted")
    for saved in ledger.having("wanted"):
        if saved.listed.bucket not in copies.buckets:
            continue
        number += 1
        ledger.mark(saved, "under way")
        yield _checked(
            saved, vault.dump(copies.snapshot, copies.folder / str(saved.file)), copies.room / f"{number}"
        )


def _checked(saved: Saved, pieces: Iterable[bytes], path: Path) -> tuple[Saved, Path | None, str]:
    """Only what has the right hash is put."""
    digest = hashlib.sha256()
    try:
        with path.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
    except VaultError as error:
        path.unlink(missing_ok=True)
        return saved, None, f"cannot be read from the vault: {error}"
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if digest.hexdigest() == saved.sha256:
        return saved, path, ""
    path.unlink(missing_ok=True)
    return saved, None, BROKEN


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(CHUNK):
        yield piece


def _stream(copies: Copies) -> Iterator[tuple[str, BinaryIO]]:
    """Name below the snapshot's folder and content of every copy. Raises VaultError and TarError."""
    with vault.dumping(copies.snapshot, copies.folder / "objects", "--archive", "tar") as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isfile() and (file := archive.extractfile(member)):
                    name = "/" + member.name.lstrip("/")
                    yield name.removeprefix(f"{copies.folder}/").lstrip("/"), cast(BinaryIO, file)
        while stream.read(CHUNK):  # what stands after the archive's end
            pass


def _put(s3: Any, saved: Saved, path: Path) -> str:
    """Put a checked file and remove it; the reason when the store refuses it."""
    bucket, key = saved.listed.bucket, saved.listed.key
    try:
        if path.stat().st_size:
            s3.upload_file(str(path), bucket, key, ExtraArgs=dict(saved.headers), Config=TRANSFER)
        else:
            # No empty body: after a folder's marker MinIO leaves the connection unusable for a while.
            s3.put_object(Bucket=bucket, Key=key, **saved.headers)
    except S3_ERRORS as error:
        return f"the store does not take it: {store.said(error)}"
    finally:
        path.unlink(missing_ok=True)
    return ""
