"""The packages of a job as a layer: locked, installed by hash, packed, and kept in the cache of this machine.

The nodes reach no index, so the layer is made here and goes through the load balancer into the object store
(`benchmark.jobs.packages` takes it from there). Installing a wheel runs none of its code. What was asked for
once is found again by the requirements, and the same lock makes the same layer: neither needs the index.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark.core.errors import BenchmarkError
from benchmark.core.store import S3Store
from benchmark.jobs import packages
from benchmark.jobs.packages import FILES_MOST, LOCK, MOST, PackagesError
from components.planning.issues import Issue
from components.runtime import regular
from operations.errors import OperationError, RefusedError, refusal
from operations.images.contexts import cache
from operations.jobs import locking, requirements
from operations.jobs.requirements import Wanted
from operations.output import count, size
from operations.process import say

# Of the way a layer is made: another number makes all of them anew.
FORMAT = "1"
# Layers that the cache keeps.
KEPT = 20
WHAT = "nothing was submitted"


@dataclass(frozen=True)
class Layer:
    """`digest` names the layer in the store; `lock` is the SHA-256 of its list; `length` as packed, bytes."""

    digest: str
    lock: str
    packages: int
    length: int


def read(pip: str | None, file: str | None) -> tuple[list[Wanted], list[Issue]]:
    """What is asked for, or every mistake that shows without the package index."""
    wanted, issues = requirements.typed(pip) if pip is not None else ([], [])
    if file is not None:
        try:
            text = regular.read_text(Path(file), 1 << 20)
        except OSError as error:
            issues.append(Issue(f"REQUIREMENTS: {file}", str(error.strerror), "name a requirements file"))
        except ValueError as error:  # also what is not UTF-8
            issues.append(Issue(f"REQUIREMENTS: {file}", f"cannot be read: {error}", "write it as text"))
        else:
            more, found = requirements.listed(file, text)
            wanted, issues = [*wanted, *more], [*issues, *found]
    image = requirements.pins(locking.IMAGE_LOCK.read_text(encoding="utf-8"))
    return wanted, [*issues, *requirements.conflicts(wanted, image)]


def provide(wanted: Sequence[Wanted], *, refresh: bool = False) -> Layer | None:
    """The layer, made unless it is in the cache; None where the image has all. Raises OperationError.

    `refresh` resolves anew what was resolved before.
    """
    folder = cache() / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lock, known = _locked(wanted, folder, refresh)
        if not lock:
            say("packages: the compute image has all of them")
            return None
        place = folder / hashlib.sha256(f"{FORMAT} {locking.target()}\n{lock}".encode()).hexdigest()
        present = (place / "layer.json").is_file()
        if not present:
            _make(lock, place)
        os.utime(place)
        _prune(folder)
        layer = Layer(**json.loads((place / "layer.json").read_text()))
    how = "from the cache" if present and known else "lock from the cache" if known else "resolved and locked"
    say(f"packages: {count(layer.packages, 'package')}, {size_of(layer.length)}, {how}: {place / LOCK}")
    return layer


def archive_of(layer: Layer) -> Path:
    """The packed layer in the cache."""
    for place in (cache() / "packages").glob("*/layer.json"):
        if json.loads(place.read_text())["digest"] == layer.digest:
            return place.with_name("layer.tar.gz")
    raise OperationError(f"packages {layer.digest[:12]} are not in the cache any more\n    fix: submit again")


def upload(layer: Layer, store: S3Store, *, anew: bool = False) -> None:
    """Put the layer where the nodes find it; one that is there stays, unless `anew`.

    Raises OperationError.
    """
    from boto3.exceptions import Boto3Error  # noqa: PLC0415  (half a second)
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    key = packages.key(layer.digest)
    bucket, _, path = key.partition("/")
    try:
        if anew or not store.exists(key):
            store.client.upload_file(str(archive_of(layer)), bucket, path)
    except (BenchmarkError, Boto3Error, BotoCoreError, ClientError) as error:
        raise OperationError(f"packages: {key} cannot be written: {error}") from error


def size_of(length: int) -> str:
    return size(length) if length >= 1 << 20 else f"{max(1, length >> 10)} KiB"


def _locked(wanted: Sequence[Wanted], folder: Path, refresh: bool) -> tuple[str, bool]:
    """The lock without what the image has, and whether it was known. Raises RefusedError."""
    image = locking.IMAGE_LOCK.read_text(encoding="utf-8")
    remembered = folder / f"{requirements.key(wanted, image, locking.target())}.txt"
    if remembered.is_file() and not refresh:
        os.utime(remembered)
        return remembered.read_text(encoding="utf-8"), True
    say("packages: asking the package index …")
    whole, issues = locking.resolve(wanted)
    if not issues:
        lock, issues = requirements.of_given_hashes(
            requirements.added(whole, requirements.pins(image)), wanted
        )
    if issues:
        raise refusal(issues, WHAT)
    with _whole(remembered) as fresh:
        fresh.write_text(lock, encoding="utf-8")
    return lock, False


def _make(lock: str, place: Path) -> None:
    with _whole(place) as fresh:
        fresh.mkdir()
        tree = fresh / "tree"
        listed = fresh / LOCK
        listed.write_text(lock, encoding="utf-8")
        code, _, error = locking.uv(
            [
                "install", "--quiet", "--target", str(tree), "--no-deps", "--require-hashes",
                "--link-mode", "copy", "--requirements", str(listed),
            ]
        )  # fmt: skip
        if code:
            if locking.unreachable(error):
                raise refusal([Issue("PIP", "the package index does not answer", locking.INDEX_FIX)], WHAT)
            raise RefusedError(f"packages: cannot be installed: {locking.plain(error)}\n    fix: {WHAT}")
        settle(tree)
        shutil.copy(listed, tree / LOCK)
        total = bounded(tree)
        try:
            digest = packages.digest_of(tree)
        except PackagesError as problem:
            raise RefusedError(f"packages: {problem}\n    fix: leave that package out") from None
        pack(tree, fresh / "layer.tar.gz")
        names = len(requirements.pins(lock))
        length = (fresh / "layer.tar.gz").stat().st_size
        layer = Layer(digest, hashlib.sha256(lock.encode()).hexdigest(), names, length)
        (fresh / "layer.json").write_text(json.dumps({**asdict(layer)}))
        shutil.rmtree(tree)
        say(f"packages: installed {size_of(total)}")


def settle(tree: Path) -> None:
    """Remove what names this machine: starters of programs with the path of its Python, and their records."""
    (tree / ".lock").unlink(missing_ok=True)
    gone = set()
    for path in (tree / "bin").glob("*"):
        with path.open("rb") as file:
            if file.read(2) == b"#!":
                gone.add(f"bin/{path.name}")
                path.unlink()
    for record in tree.glob("*.dist-info/RECORD"):
        rows = record.read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if not re.search(r"(^|/)bin/", row.split(",")[0])]
        record.write_text("".join(f"{row}\n" for row in sorted(kept)), encoding="utf-8")
    for cached in tree.rglob("__pycache__"):
        shutil.rmtree(cached)


def bounded(tree: Path) -> int:
    """Bytes of all files. Raises RefusedError for more than a node takes."""
    sizes: dict[str, int] = {}
    number = 0
    for path in packages.files(tree):
        top = path.relative_to(tree).parts[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
        number += 1
    total = sum(sizes.values())
    if total > MOST or number > FILES_MOST:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        raise RefusedError(
            f"packages: {size(total)} in {number:,} files, and {size(MOST)} in {FILES_MOST:,} may be taken "
            f"along; the largest: {', '.join(f'{name} ({size_of(sizes[name])})' for name in largest)}\n"
            "    fix: ask for fewer packages, or put the large one into the compute image "
            "(images/compute/requirements.in)"
        )
    return total


def pack(tree: Path, archive: Path) -> None:
    """Without times and owners, so that the same files make the same archive."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in packages.files(tree):
            info = tarfile.TarInfo(path.relative_to(tree).as_posix())
            info.size = path.stat().st_size
            info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                tar.addfile(info, file)


@contextmanager
def _whole(place: Path) -> Iterator[Path]:
    """A name beside `place`; what is made there takes its place at the end, or is removed."""
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        yield beside / place.name
        (beside / place.name).replace(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _prune(folder: Path) -> None:
    """Keep the layers that were used last, and ten locks for each."""
    for left in folder.glob(".new-*"):
        shutil.rmtree(left, ignore_errors=True)
    newest = sorted(folder.iterdir(), key=lambda path: -path.stat().st_mtime)
    for path in [path for path in newest if path.is_dir()][KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
    for path in [path for path in newest if path.suffix == ".txt"][10 * KEPT :]:
        path.unlink(missing_ok=True)
