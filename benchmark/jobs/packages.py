"""The packages of a job on a node: fetched once, checked at every start, kept for the next job.

A layer is a folder of installed packages, packed on the workstation and stored under its digest. The digest
covers every file's path, content and mode, so that neither the store nor a job that ran here before can
change what is imported. Python finds the folder after the script's own modules, before those of the image.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from benchmark.core.errors import BenchmarkError
from benchmark.core.joblog import say
from benchmark.core.store import Body, Store, open_store

# On a volume, as /tmp lets nothing be executed, and packages have libraries.
ROOT = Path("/var/lib/packages")
PREFIX = "datasets/packages/"
# The digest, in the environment of the job's processes.
VARIABLE = "AIDC_PACKAGES"
DIGEST = re.compile(r"[0-9a-f]{64}")
# The list of a layer's packages with the hashes that they were installed by; part of the layer.
LOCK = "packages.txt"
# Bytes and files of one layer; bytes of all layers that a node keeps.
MOST, FILES_MOST, KEPT = 2 << 30, 60_000, 8 << 30
# Bytes of what a tar file says beside its members, long names for instance, which is read into memory.
ASIDE_MOST = 64 << 10
FIX = "fix: submit again with REFRESH=1, which writes it anew"


class PackagesError(Exception):
    """The packages of a job cannot be provided on this node."""


def key(digest: str) -> str:
    """Where the store keeps a layer."""
    return f"{PREFIX}{digest}.tar.gz"


def files(folder: Path) -> Iterator[Path]:
    """All files below `folder`, in the order of their paths. Raises PackagesError at anything else."""
    found: list[tuple[str, Path]] = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise PackagesError(f"{path.relative_to(folder)} is neither a file nor a folder")
            # The digest ends each name with a line break.
            if not name.isprintable():
                raise PackagesError(f"{name!r:.200} is not the name of a file of a package")
        found += [(Path(place, name).relative_to(folder).as_posix(), Path(place, name)) for name in names]
    yield from (path for _, path in sorted(found))


def digest_of(folder: Path) -> str:
    """The digest of a layer: of its files' paths, contents and whether they can be executed."""
    whole = hashlib.sha256()
    for path in files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        whole.update(f"{content} {executable} {path.relative_to(folder).as_posix()}\n".encode())
    return whole.hexdigest()


def provide(digest: str, root: Path = ROOT, store: Store | None = None) -> Path:
    """The folder of a layer, checked; nobody removes it while this process lives. Raises PackagesError."""
    if not DIGEST.fullmatch(digest):
        raise PackagesError(f"{digest!r:.80} is not the digest of packages")
    try:
        return _provide(digest, root, store)
    except OSError as error:
        raise PackagesError(f"{root}: {error.strerror or error}") from error
    except BenchmarkError as error:
        raise PackagesError(f"{error}; {FIX}") from error


def _provide(digest: str, root: Path, store: Store | None) -> Path:
    folder = root / digest
    with _changing(root):
        # Held until this process ends: a layer in use is not removed.
        lock = os.open(root / f"{digest}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(lock)
        if folder.is_dir():
            with suppress(PackagesError):
                if digest_of(folder) == digest:
                    return folder
            _remove(folder)  # changed since; a script that has it open keeps its files
        _make_room(root, digest)
        _fetch(digest, root, store or open_store("s3:"))
    return folder


def _fetch(digest: str, root: Path, store: Store) -> None:
    fresh = Path(tempfile.mkdtemp(prefix="fetch-", dir=root))
    try:
        with store.open(key(digest)) as body:
            unpack(body, fresh)
        if digest_of(fresh) != digest:
            raise PackagesError(
                f"{key(digest)}: what the store has under this digest is something else; {FIX}"
            )
        # Packages that keep something beside their code would change the layer.
        for place in [fresh, *fresh.rglob("*")]:
            place.chmod(place.stat().st_mode & ~0o222)
        fresh.rename(root / digest)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise PackagesError(f"{key(digest)}: cannot be unpacked: {error}; {FIX}") from error
    finally:
        _remove(fresh)


class _Member(tarfile.TarInfo):
    """A member whose header does not fill the memory before anybody sees it."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        # The hook that tarfile documents for subclasses.
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and self.size > ASIDE_MOST:
            raise PackagesError(f"{self.name!r:.200}: a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


def unpack(body: Body, folder: Path) -> None:
    """Unpack files and nothing else, below `folder` and within the bounds. Raises PackagesError."""
    total = count = 0
    with tarfile.open(fileobj=cast("IO[bytes]", body), mode="r|gz", tarinfo=_Member) as archive:
        for member in archive:
            total, count = total + member.size, count + 1
            if not member.isreg() or total > MOST or count > FILES_MOST:
                raise PackagesError(f"{member.name!r:.200} is not a file, or one too many")
            archive.extract(member, folder, filter="data")


def _make_room(root: Path, wanted: str) -> None:
    """Remove layers, the one that was used longest ago first, until another one fits."""
    locks = sorted(root.glob("*.lock"), key=lambda path: path.stat().st_mtime)
    sizes = {path.stem: _size(root / path.stem) for path in locks}
    for path in locks:
        if sum(sizes.values()) <= KEPT - MOST:
            return
        if path.stem != wanted and _removed(root / path.stem, path):
            del sizes[path.stem]


def _removed(folder: Path, lock: Path) -> bool:
    """False for a layer that a process uses."""
    with lock.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _remove(folder)
        lock.unlink(missing_ok=True)
        return True


def _remove(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o700)  # before its entries are listed
    shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _changing(root: Path) -> Iterator[None]:
    """One process at a time fetches, checks or removes; leftovers of one that was killed go first."""
    with (root / "changing").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in root.glob("fetch-*"):
            _remove(left)
        yield


def enable() -> None:
    """In a Ray worker of the job, before its first task: what the script starts with Ray finds them, too."""
    digest = os.environ.get(VARIABLE, "")
    if not digest:
        return
    try:
        folder = provide(digest)
    except PackagesError as error:
        say(f"no packages: {error}")
        return
    os.environ.update(variables(folder, os.environ))
    place = next((n for n, path in enumerate(sys.path) if path.endswith("site-packages")), len(sys.path))
    sys.path.insert(place, str(folder))


def variables(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What a script needs to find the packages, and the programs that they bring."""
    path = environment.get("PYTHONPATH", "")
    found = {"PYTHONPATH": f"{path}:{folder}" if path else str(folder)}
    programs = folder / "bin"
    return {**found, "PATH": f"{programs}:{environment.get('PATH', '')}"} if programs.is_dir() else found
