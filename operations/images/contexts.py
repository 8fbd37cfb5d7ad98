"""Build contexts: which files of the clone and the cache go into each image, exchanged atomically.

`.build/<name>` is a link to a folder that is never changed again, so that a plan that is made while another
run assembles reads either the old context or the new one, and never a mixture.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from components.planning.paths import ROOT
from components.runtime.image import NOT_CONTENT, context_digest
from operations.errors import OperationError

BUILD = ROOT / ".build"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Image → programs from the cache's bin folder that it needs in addition to its own folder.
BINARIES: Mapping[str, tuple[str, ...]] = {
    "object-store": ("minio",),
    "backup": ("supercronic",),
    "drill": ("supercronic",),
    "logs": ("victoria-logs",),
    "metrics": ("victoria-metrics", "vmalert"),
}
PACKAGES: Mapping[str, tuple[str, ...]] = {"compute": ("benchmark",)}
# Image → single modules and folders of the clone that run in it too, in the same places.
MODULES: Mapping[str, tuple[str, ...]] = {
    "home": (
        "benchmark/__init__.py", "benchmark/core/__init__.py", "benchmark/core/words.py",
        "components/__init__.py", "components/planning/__init__.py", "components/planning/paths.py",
        "components/planning/units.py", "components/runtime/__init__.py", "components/runtime/rendering.py",
        "operations/__init__.py", "operations/documents.py", "operations/front",
        "operations/nodes_document.py", "operations/output.py", "operations/status_document.py",
    ),
}  # fmt: skip
# Image → what it shares with others, from images/shared.
SHARED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("load-balancer", "object-store", "tracking", "vault"), ("follow",)),
    "database": ("champions.sql", "follow", "readings", "table-facts.sql"),
    "firewall": ("readings",),
    "home": ("readings",),
    "logs": ("readings",),
    "backup": ("readings", "table-facts.sql"),
    "drill": ("champions.sql", "readings", "table-facts.sql"),
}
# Image → what it takes over from another image's folder.
TAKEN_OVER: Mapping[str, tuple[str, ...]] = {
    "drill": (
        "backup/backup", "backup/keeper", "database/database-archive-drill", "database/database-drill",
        "database/database-restore", "database/recovery",
    ),
}  # fmt: skip
# The rooms of a package that run in the image. The others run on a workstation, and an edit there must not
# replace the containers; a contract of imports keeps them apart (pyproject.toml).
INSIDE: Mapping[str, tuple[str, ...]] = {
    "benchmark": (
        "core", "data", "model", "checkpoints", "telemetry", "training", "serving", "jobs", "workloads",
    ),
}  # fmt: skip
NEEDS_CA = frozenset({"compute", "tracking"})
# What a run of the tests leaves beside the sources; an image is named by its content.
COMPILED = shutil.ignore_patterns("__pycache__", "*.pyc")
# Seconds for which a context that was exchanged stays: no plan reads for as long.
KEPT = 3600


class BuildError(OperationError):
    """A context cannot be assembled or an image cannot be built; the text says which, why, and the fix."""


class IncompleteError(BuildError):
    """A part of a context is missing that `make setup` provides."""


def cache() -> Path:
    """Where `make setup` keeps what it has built."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aidc"
    return Path(os.environ.get("AIDC_CACHE") or default)


def ca_bundle() -> Path:
    """The host's CA bundle: downloads during a build go through the same proxy as the host's."""
    return Path(os.environ.get("SSL_CERT_FILE") or CA_BUNDLE)


@contextmanager
def building_alone() -> Iterator[None]:
    """Hold the build lock: two runs at a time would build the same image twice."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("  another run is building images; waiting for it to finish", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def assemble(name: str) -> Path:
    """A new context in its own folder, which nobody reads yet.

    Raises IncompleteError when a part is missing.
    """
    contexts = BUILD / "contexts"
    contexts.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=contexts))
    try:
        _fill(name, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _normalise(fresh)
    os.utime(fresh)  # copying kept the age of the source
    return fresh


def _fill(name: str, fresh: Path) -> None:
    shutil.copytree(ROOT / "images" / name, fresh, dirs_exist_ok=True, ignore=COMPILED)
    for binary in BINARIES.get(name, ()):
        source = cache() / "bin" / binary
        if not source.exists():
            raise IncompleteError(f"image {name}: {source} is missing; fix: run `make setup`")
        shutil.copy2(source.resolve(), fresh / binary)
    for script in SHARED.get(name, ()):
        shutil.copy2(ROOT / "images" / "shared" / script, fresh / script)
    for part in TAKEN_OVER.get(name, ()):
        source = ROOT / "images" / part
        if source.is_dir():
            shutil.copytree(source, fresh / source.name, ignore=COMPILED)
        else:
            shutil.copy2(source, fresh / source.name)
    for module in MODULES.get(name, ()):
        source, place = ROOT / module, fresh / module
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=COMPILED)
        else:
            shutil.copy2(source, place)
    for package in PACKAGES.get(name, ()):
        copy_package(package, fresh / package)
    if name in NEEDS_CA:
        if not ca_bundle().is_file():
            raise IncompleteError(f"image {name}: {ca_bundle()} is missing; fix: install ca-certificates")
        shutil.copy2(ca_bundle(), fresh / "ca-certificates.crt")


def _normalise(context: Path) -> None:
    """Set modes as in a clone made under umask 022: users in the containers must be able to read them."""
    context.chmod(0o755)
    for path in context.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)


def publish(name: str, fresh: Path) -> None:
    """Make `fresh` the context `.build/<name>`: a concurrent reader sees the old one or the new one."""
    link = BUILD / name
    if link.is_dir() and not link.is_symlink():  # made by a version that kept the context itself there
        link.rename(fresh.with_name(f"{fresh.name}.former"))
    new = BUILD / f".{fresh.name}"
    new.symlink_to(fresh.relative_to(BUILD))
    new.replace(link)
    # A plan that started earlier may still read the former one.
    for old in (BUILD / "contexts").glob(f"{name}.*"):
        if old != fresh and time.time() - old.stat().st_mtime > KEPT:
            shutil.rmtree(old, ignore_errors=True)


def unchanged(name: str, fresh: Path, digest: str) -> bool:
    """Whether the context in use equals `fresh`, including files that do not count as content.

    `digest` is the one of `fresh`.
    """
    link = BUILD / name
    if not link.is_symlink() or not link.is_dir() or context_digest(link.resolve()) != digest:
        return False
    pairs = [(link / extra, fresh / extra) for extra in NOT_CONTENT if (fresh / extra).is_file()]
    return all(old.is_file() and filecmp.cmp(old, new, shallow=False) for old, new in pairs)


def discard(name: str, fresh: Path) -> None:
    """Remove a context that did not come into use."""
    if (BUILD / name).resolve() != fresh.resolve():
        shutil.rmtree(fresh, ignore_errors=True)


def copy_package(package: str, into: Path) -> None:
    """The rooms of `package` that run in the image, whole: they hold data and a user's modules too."""
    into.mkdir()
    shutil.copy2(ROOT / package / "__init__.py", into)
    for room in INSIDE[package]:
        shutil.copytree(ROOT / package / room, into / room, ignore=COMPILED)
