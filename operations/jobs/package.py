"""What a job takes along: one script, or the files of a folder, as the archive that Ray unpacks on a node."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from components.planning.units import MIB
from operations.errors import RefusedError
from operations.jobs import imports
from operations.output import size
from operations.process import warn

# Bytes before compression: what is larger belongs into the object store, from which the nodes read it.
SCRIPT_MOST, FOLDER_MOST = 10 * MIB, 100 * MIB
FILES_MOST = 10_000
# Never taken along, and neither is what begins with a dot: histories, environments, caches, passwords.
LEFT_OUT = frozenset({"__pycache__", "node_modules", "venv", "out"})
# What runs the script on the node, and what Ray's own workers load before it: a module of one of these names
# would be found in its place, and with some of them a job waits for ever.
OURS = "benchmark"
RESERVED = frozenset(
    f"attr attrs {OURS} certifi charset_normalizer filelock google idna jsonschema jsonschema_specifications "
    "msgpack packaging psutil ray referencing requests rpds sitecustomize typing_extensions urllib3 uvloop "
    "yaml".split()
)
# What people give in the place of a Python file, by the end of its name.
OTHERS = {
    ".ipynb": "a notebook\n    fix: `jupyter nbconvert --to script` makes a Python file of it",
    ".sh": "a script of the shell\n    fix: name the Python file that it starts; ARGS has its arguments",
}
EPOCH = (1980, 1, 1, 0, 0, 0)
LARGEST = 3
LISTED_MOST = 5


@dataclass(frozen=True)
class Package:
    """`script` is the path within the archive; the same files make the same `name`."""

    script: str
    name: str
    content: bytes = field(repr=False)
    files: int = 1


def pack(script: str, folder: str | None = None) -> Package:
    """The script alone, or with the folder that it is in. Raises RefusedError with the fix."""
    return _folder(script, Path(folder)) if folder else _alone(Path(script))


def _alone(script: Path) -> Package:
    _check(script, "SCRIPT", str(script))
    if (length := script.stat().st_size) > SCRIPT_MOST:
        raise RefusedError(
            f"SCRIPT: {script} has {size(length)}, and a script may have {size(SCRIPT_MOST)}\n"
            "    fix: put data into the bucket `datasets`, from which the job reads them (docs/jobs.md)"
        )
    _check_names("SCRIPT", str(script), [script.name])
    packed = _archive(script.name, {script.name: script})
    if beside := imports.beside(script):
        warn(
            f"SCRIPT: {script} imports {', '.join(beside)}, which lies beside it and does not come along\n"
            f"    fix: WORKDIR={script.parent}"
        )
    return packed


def _folder(script: str, folder: Path) -> Package:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise RefusedError(
            f"WORKDIR: {folder} {what}\n    fix: name the folder with the script and its modules"
        )
    # Relative to the folder, or to where the command was given.
    place = folder / script if (folder / script).exists() else Path(script)
    _check(place, "SCRIPT", f"{script} (looked for in {folder}, too)")
    root = folder.resolve()
    if not place.resolve().is_relative_to(root):
        raise RefusedError(
            f"SCRIPT: {script} is not in WORKDIR {folder}\n    fix: give a folder that holds the script"
        )
    below, left = _below(root)
    files = {str(PurePosixPath(path.relative_to(root))): path for path in below}
    inside = str(PurePosixPath(place.resolve().relative_to(root)))
    files.setdefault(inside, place.resolve())
    _check_names("WORKDIR", str(folder), files)
    _check_size(folder, files)
    packed = _archive(inside, files)
    if left:
        warn(
            f"WORKDIR: {_listed(left)}: not taken along, as links to folders are not, nor any that "
            f"leads out of {folder}\n    fix: put the files themselves there; data into the bucket `datasets`"
        )
    return packed


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:LISTED_MOST])) + (", …" if len(names) > LISTED_MOST else "")


def _check_names(what: str, shown: str, files: Collection[str]) -> None:
    if odd := sorted(name for name in files if not name.isprintable()):
        raise RefusedError(
            f"{what}: {_listed(odd)}: a name with a control character, or with bytes that are no text\n"
            "    fix: rename it"
        )
    names = sorted({name for file in files if (name := _module(file))})
    if taken := [name for name in names if name in RESERVED or name in sys.stdlib_module_names]:
        raise RefusedError(
            f"{what}: {shown} would take the place of {_listed(taken)}, which Python or what runs your "
            "script loads\n    fix: rename it, as my_queue.py for queue.py, or put it into a package"
        )


def _module(file: str) -> str:
    """The name by which a file at the top of the archive, or the package around it, is imported; or none."""
    first, *more = PurePosixPath(file).parts
    if not more:
        return first.removesuffix(".py") if first.endswith(".py") else ""
    # Without this file a folder is found last, and then not at all if it has the name of ours.
    return first if more == ["__init__.py"] or first == OURS else ""


def _check(path: Path, what: str, shown: str) -> None:
    fix = "name a Python file, as SCRIPT=train.py"
    if not path.exists():
        raise RefusedError(f"{what}: {shown} does not exist\n    fix: {fix}")
    if path.is_dir():
        raise RefusedError(
            f"{what}: {shown} is a folder\n    fix: {fix}, with WORKDIR={path} for its modules"
        )
    if not path.is_file() or not os.access(path, os.R_OK):
        raise RefusedError(f"{what}: {shown} cannot be read\n    fix: {fix}")
    if why := OTHERS.get(path.suffix):
        raise RefusedError(f"{what}: {shown} is {why}")


def _below(root: Path) -> tuple[list[Path], list[str]]:
    """Every file to take along, and the links that are left: they are followed where they lead to a file in
    the folder.
    """
    found, left = list[Path](), list[str]()

    def refuse(error: OSError) -> None:
        raise _unreadable(error)

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if _taken(name))
        for name in [*folders, *sorted(filter(_taken, names))]:
            path = Path(folder, name)
            if path.is_file() and path.resolve().is_relative_to(root):
                found.append(path)
            elif path.is_symlink():
                left.append(str(path.relative_to(root)))
    return found, left


def _unreadable(error: OSError) -> RefusedError:
    return RefusedError(
        f"WORKDIR: {error.filename} cannot be read: {error.strerror}\n    fix: change that, or take it out"
    )


def _taken(name: str) -> bool:
    return not name.startswith(".") and name not in LEFT_OUT and not name.endswith(".pyc")


def _check_size(folder: Path, files: dict[str, Path]) -> None:
    if len(files) > FILES_MOST:
        raise RefusedError(
            f"WORKDIR: {folder} holds {len(files):,} files, and {FILES_MOST:,} may be taken along\n"
            "    fix: give the folder with the code alone"
        )
    sizes = {name: path.stat().st_size for name, path in files.items()}
    if (total := sum(sizes.values())) > FOLDER_MOST:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST]
        raise RefusedError(
            f"WORKDIR: {folder} has {size(total)}, and {size(FOLDER_MOST)} may be taken along; the largest: "
            f"{', '.join(f'{name} ({size(sizes[name])})' for name in largest)}\n"
            "    fix: put data into the bucket `datasets`, from which the job reads them (docs/jobs.md)"
        )


def _archive(script: str, files: dict[str, Path]) -> Package:
    """Without times and owners, so that the same files have the same digest."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            try:
                archive.writestr(info, path.read_bytes())
            except OSError as error:
                raise _unreadable(error) from None
    content = stream.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:32]
    return Package(script, f"_ray_pkg_{digest}.zip", content, len(files))
