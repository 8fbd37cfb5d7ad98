"""A restore for trial: a snapshot out of the vault's own disk, every file of it compared with its manifest.

Runs in a container without a network, on the vault's volume, which it can only read. What came back stays in
ROOT for the database's part of the drill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from . import archived, models, objects
from .databases import FOLDER
from .objects import ManifestError, shown
from .prune import REPOSITORY
from .settings import PASSWORD
from .vault import VaultError, digest_of, restic

ROOT = Path("/drill")
NAMED = 20
NAMED_PACKS = 3
OPTIONS = ("--repo", str(REPOSITORY), "--no-lock", "--no-cache")


def drill(
    at: str | None, root: Path = ROOT, check_room: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """What was restored to `root` and what differs; `check_room` is told how many bytes it will be.

    Raises VaultError and ManifestError: nothing can be compared.
    """
    snapshots = _snapshots()
    chosen = choose(snapshots, at)
    sizes = restic("stats", "--json", chosen["id"], password=PASSWORD, options=OPTIONS).stdout
    check_room(int(json.loads(sizes)["total_size"]))
    try:
        _restore(chosen, root)
    except VaultError as error:
        packs = ", ".join(damaged(REPOSITORY / "data"))
        found = f"; damaged: {packs}" if packs else ""
        raise VaultError(f"snapshot {chosen['id'][:8]} cannot be restored: {error}{found}") from None
    folder = restored(Path(chosen["paths"][0]), root)
    _let_read(folder / FOLDER)
    result = {
        "snapshot": chosen["id"],
        "taken": chosen["time"],
        "complete": "partial" not in (chosen.get("tags") or ()),
        **compared(folder),
        "databases": recorded(folder),
    }
    result["models"] = models.lay_out(objects.read(_lines(folder / "manifest.jsonl")), folder, root)
    moment = archived.moment_in(folder)
    later = chosen if at is None else following(snapshots, at)
    if later["id"] != chosen["id"]:
        # The dumps stay those of the first one, of which the rows are known.
        _restore(later, root, "--exclude", str(Path(chosen["paths"][0]) / FOLDER))
        _let_read(folder / FOLDER)
    files, faults = archived.lay_out(objects.read(_lines(folder / "manifest.jsonl")), folder, root)
    result["faults"] = [*result["faults"], *faults][:NAMED]
    result["different"] += len(faults)
    return {**result, "archive": {"files": files, "snapshot": later["id"], "moment": moment}}


def archive_of(name: str, at: str | None, root: Path = ROOT) -> dict[str, Any]:
    """The database's archive alone: of the snapshot `name`, or with `at` of one whose log reaches that time.

    Raises VaultError and ManifestError.
    """
    snapshots = _snapshots()
    chosen = next((s for s in snapshots if s["id"] == name), None)
    if chosen is None:
        raise VaultError(f"the vault has no snapshot {name}")
    later = chosen if at is None else following(snapshots, at)
    source = Path(chosen["paths"][0])
    folder = restored(source, root)
    _restore(chosen, root, "--include", str(source / archived.MOMENT))
    moment = archived.moment_in(folder)
    _restore(later, root, "--include", str(source / "manifest.jsonl"))
    wanted = root / "wanted"
    with wanted.open("w", encoding="ascii") as file:
        for saved in objects.read(_lines(folder / "manifest.jsonl")):
            if saved.listed.bucket == archived.BUCKET and saved.file:
                file.write(f"{source / saved.file}\n")
    if wanted.stat().st_size:
        _restore(later, root, "--include-file", str(wanted))
    files, faults = archived.lay_out(objects.read(_lines(folder / "manifest.jsonl")), folder, root)
    return {"files": files, "faults": faults[:NAMED], "snapshot": later["id"], "moment": moment}


def _restore(snapshot: Mapping[str, Any], root: Path, *options: str) -> None:
    """What is there already, with the content that it should have, is not read again."""
    target = ("--quiet", "--overwrite", "if-changed", "--target", str(root))
    restic("restore", *target, *options, str(snapshot["id"]), password=PASSWORD, options=OPTIONS)


def following(snapshots: Sequence[Mapping[str, Any]], at: str) -> Mapping[str, Any]:
    """The first snapshot from `at` on: its log reaches that time. Without one, the newest."""
    until = datetime.fromisoformat(at)
    after = [s for s in snapshots if moment_of(s) >= until]
    return min(after, key=_arrival) if after else max(snapshots, key=_arrival)


def _arrival(snapshot: Mapping[str, Any]) -> str:
    return str(snapshot["time"])


def damaged(packs: Path) -> list[str]:
    """The first packs whose content is not the one that their name says: restic names them by SHA-256."""
    found = (path for path in sorted(packs.rglob("*")) if path.is_file() and digest_of(path) != path.name)
    return [f"data/{path.parent.name}/{path.name}" for path in islice(found, NAMED_PACKS)]


def restored(folder: Path, root: Path = ROOT) -> Path:
    """Where a folder of the backup's container lies after the restore."""
    return root / folder.relative_to("/")


def _let_read(folder: Path) -> None:
    """The dumps for the database's part of the drill, which is another user: modes came back with them."""
    for path in (*list(folder.parents)[:2], folder):
        if path.is_dir():
            path.chmod(0o755)
    for path in folder.glob("*"):
        path.chmod(0o644)


def _snapshots() -> Sequence[Mapping[str, Any]]:
    found = restic("snapshots", "--json", password=PASSWORD, options=OPTIONS).stdout
    return list(json.loads(found) or [])


def choose(snapshots: Sequence[Mapping[str, Any]], at: str | None) -> Mapping[str, Any]:
    """The newest one, or with `at` (RFC 3339) the newest of those until then. Raises VaultError."""
    until = datetime.fromisoformat(at) if at else None
    known = [s for s in snapshots if until is None or moment_of(s) <= until]
    if not known:
        raise VaultError(f"the vault has no snapshot{f' until {at}' if at else ''}")
    return max(known, key=_arrival)


def moment_of(snapshot: Mapping[str, Any]) -> datetime:
    """When a snapshot was taken, as restic lists it."""
    # The containers' clocks are UTC; Python 3.11 knows no nanoseconds.
    return datetime.fromisoformat(str(snapshot["time"])[:19] + "+00:00")


def compared(folder: Path) -> dict[str, Any]:
    """Every object of the manifest against the file that came back."""
    faults: list[str] = []
    compared_, size, left_out = 0, 0, 0
    for saved in objects.read(_lines(folder / "manifest.jsonl")):
        if saved.unreadable or saved.file is None or saved.sha256 is None:
            left_out += 1
            continue
        compared_ += 1
        path = folder / saved.file
        if not path.is_file():
            faults.append(f"{saved.listed.bucket}/{shown(saved.listed.key)}: missing")
        elif digest_of(path) != saved.sha256:
            faults.append(f"{saved.listed.bucket}/{shown(saved.listed.key)}: another content")
        else:
            size += path.stat().st_size
    return {
        "objects": compared_,
        "bytes": size,
        "unreadable_then": left_out,
        "different": len(faults),
        "faults": faults[:NAMED],
    }


def recorded(folder: Path) -> dict[str, Any]:
    """The tables with their rows, as the backup counted them in the view of the rows that it dumped."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / FOLDER).glob("*.json"))}


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="ascii") as file:
            for line in file:
                yield line.rstrip("\n")
    except OSError as error:
        raise ManifestError(f"the snapshot has no manifest: {error.strerror}") from None
