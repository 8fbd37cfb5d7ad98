"""A restore for trial: the newest of each source out of the vault's own disk, compared with its manifest.

Where jobs save different sources, these come from several snapshots, side by side in one folder. Runs in a
container without a network, on the vault's volume, which it can only read. What came back stays in ROOT for
the database's part of the drill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..core import objects, series
from ..core.objects import ManifestError, shown
from ..core.settings import FILES, PASSWORD
from ..pruning.prune import REPOSITORY
from ..sources import archived
from ..sources.databases import FOLDER
from ..sources.vault import VaultError, digest_of, restic
from . import models

ROOT = Path("/drill")
MANIFEST = "manifest.jsonl"
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
    jobs = declared()
    needed = parts(snapshots, at, jobs)
    chosen = needed[-1][0]
    sizes = [restic("stats", "--json", str(s["id"]), password=PASSWORD, options=OPTIONS) for s, _ in needed]
    check_room(sum(int(json.loads(size.stdout)["total_size"]) for size in sizes))
    folder = _restore_parts(needed, root)
    _let_read(folder / FOLDER)
    result = {
        "snapshot": chosen["id"],
        "snapshots": [
            {"snapshot": s["id"], "job": series.job_of(s), "taken": s["time"], "sources": sources}
            for s, sources in needed
        ],
        "taken": min(str(s["time"]) for s, _ in needed),
        "complete": not any("partial" in series.tags_of(s) for s, _ in needed),
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
    files, faults = archived.lay_out(objects.read(_lines(folder / MANIFEST)), folder, root)
    result["faults"] = [*result["faults"], *faults][:NAMED]
    result["different"] += len(faults)
    expected = any(series.holds(s, series.LOG) for s in _newest(snapshots, None, jobs))
    archive = {"files": files, "snapshot": later["id"], "moment": moment, "expected": expected}
    return {**result, "archive": archive}


Parts = Sequence[tuple[Mapping[str, Any], tuple[str, ...]]]


def declared() -> tuple[str, ...]:
    """The jobs of the backup, as the drill's service and the pruner are told of them."""
    for name in ("drill.json", "prune.json"):
        if (FILES / name).is_file():
            return tuple(json.loads((FILES / name).read_text())["jobs"])
    return ()


def _newest(
    snapshots: Sequence[Mapping[str, Any]], at: str | None, jobs: Sequence[str]
) -> list[Mapping[str, Any]]:
    """The newest of each of these jobs; of all that there ever were, at a time or where these have none."""
    found = series.newest_of_each(snapshots, at)
    return [s for s in found if at is None and series.job_of(s) in jobs] or found


def parts(snapshots: Sequence[Mapping[str, Any]], at: str | None, jobs: Sequence[str] = ()) -> Parts:
    """The snapshots to restore and what each gives; last the one with the database's log, or the newest.

    A single one gives all that it holds. Raises VaultError.
    """
    choose(snapshots, at)
    known = _newest(snapshots, at, jobs)
    newest = max(known, key=series.arrival)
    sources = series.sources_of(known)
    picks = series.compose(snapshots, sources, at, emptied=True)
    last = picks[series.LOG].snapshot if series.LOG in picks else newest
    found = series.parts(picks)
    others = [part for part in found if part[0]["id"] != last["id"]]
    own = next((given for snapshot, given in found if snapshot["id"] == last["id"]), ())
    return [*others, (last, own)]


def _restore_parts(needed: Parts, root: Path) -> Path:
    """Restore them side by side; the folder with all of them, and one manifest. Raises VaultError."""
    named = {source for _, sources in needed for source in sources if source.startswith(series.DATABASE)}
    kept: list[tuple[Path, tuple[str, ...]]] = []
    folder = root
    for snapshot, sources in needed:
        source = Path(snapshot["paths"][0])
        folder = restored(source, root)
        names = [name.removeprefix(series.DATABASE) for name in sorted(named - set(sources))]
        without = [source / FOLDER / f"{name}.{kind}" for name in names for kind in ("dump", "json")]
        without += [source / archived.MOMENT] * (snapshot is not needed[-1][0])
        try:
            _restore(snapshot, root, *(word for path in without for word in ("--exclude", str(path))))
        except VaultError as error:
            packs = ", ".join(damaged(REPOSITORY / "data"))
            found = f"; damaged: {packs}" if packs else ""
            raise VaultError(f"snapshot {snapshot['id'][:8]} cannot be restored: {error}{found}") from None
        if len(needed) > 1:
            part = folder / f"manifest-{len(kept)}.jsonl"
            (folder / MANIFEST).replace(part)
            kept.append((part, sources))
    if kept:
        _merge(kept, folder / MANIFEST)
    return folder


def _merge(manifests: Sequence[tuple[Path, tuple[str, ...]]], into: Path) -> None:
    """One manifest of the buckets that each of them gives. Raises ManifestError."""
    entries = (
        saved
        for path, sources in manifests
        for saved in objects.read(_lines(path))
        if f"{series.BUCKET}{saved.listed.bucket}" in sources
    )
    with into.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in objects.manifest("", entries))


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
    _restore(later, root, "--include", str(source / MANIFEST))
    wanted = root / "wanted"
    with wanted.open("w", encoding="ascii") as file:
        for saved in objects.read(_lines(folder / MANIFEST)):
            if saved.listed.bucket == archived.BUCKET and saved.file:
                file.write(f"{source / saved.file}\n")
    if wanted.stat().st_size:
        _restore(later, root, "--include-file", str(wanted))
    files, faults = archived.lay_out(objects.read(_lines(folder / MANIFEST)), folder, root)
    return {"files": files, "faults": faults[:NAMED], "snapshot": later["id"], "moment": moment}


def _restore(snapshot: Mapping[str, Any], root: Path, *options: str) -> None:
    """What is there already, with the content that it should have, is not read again."""
    target = ("--quiet", "--overwrite", "if-changed", "--target", str(root))
    restic("restore", *target, *options, str(snapshot["id"]), password=PASSWORD, options=OPTIONS)


def following(snapshots: Sequence[Mapping[str, Any]], at: str) -> Mapping[str, Any]:
    """The first snapshot whose log reaches that time. Without one, the newest that has a log."""
    if found := series.reaching(snapshots, at):
        return found[0]
    logs = [s for s in snapshots if series.holds(s, series.LOG)] or snapshots
    return max(logs, key=series.arrival)


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
    known = series.until(snapshots, at)
    if not known:
        raise VaultError(f"the vault has no snapshot{f' until {at}' if at else ''}")
    return known[0]


def compared(folder: Path) -> dict[str, Any]:
    """Every object of the manifest against the file that came back."""
    faults: list[str] = []
    compared_, size, left_out = 0, 0, 0
    for saved in objects.read(_lines(folder / MANIFEST)):
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
