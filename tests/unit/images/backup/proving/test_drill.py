"""Which snapshot a drill restores, and how what came back is compared with the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from images.backup.keeper.core import objects, series
from images.backup.keeper.core.objects import Listed, ManifestError, Saved
from images.backup.keeper.proving import drill
from images.backup.keeper.sources.vault import VaultError

TAKEN = "2026-01-31T00:00:00+00:00"
SNAPSHOTS = [
    {"id": "b", "time": "2026-01-31T02:00:00.987654321Z"},
    {"id": "a", "time": "2026-01-31T01:00:00.123456789Z"},
]


def test_the_newest_snapshot_is_restored() -> None:
    assert drill.choose(SNAPSHOTS, None)["id"] == "b"


@pytest.mark.parametrize(
    ("at", "chosen"), [("2026-01-31T01:30:00+00:00", "a"), ("2026-01-31T03:30:00+01:00", "b")]
)
def test_at_a_time_the_newest_until_then_is_restored(at: str, chosen: str) -> None:
    assert drill.choose(SNAPSHOTS, at)["id"] == chosen


def test_before_the_first_snapshot_there_is_none() -> None:
    with pytest.raises(VaultError, match="no snapshot until 2026-01-30"):
        drill.choose(SNAPSHOTS, "2026-01-30T00:00:00+00:00")


def saved(folder: Path, key: str, content: bytes, bucket: str = "datasets") -> Saved:
    """An object with its copy in `folder`."""
    listed = Listed(bucket, key, len(content), "e", TAKEN)
    path = folder / listed.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Saved(listed, listed.file, hashlib.sha256(content).hexdigest())


@pytest.fixture
def three(tmp_path: Path) -> list[Saved]:
    found = [saved(tmp_path, key, key.encode()) for key in ("one", "two", "three")]
    (tmp_path / "manifest.jsonl").write_text("".join(f"{x}\n" for x in objects.manifest(TAKEN, found)))
    return found


def test_objects_that_came_back_whole_do_not_differ(tmp_path: Path, three: list[Saved]) -> None:
    found = drill.compared(tmp_path)
    assert (found["objects"], found["bytes"], found["different"], found["faults"]) == (3, 11, 0, [])


def test_one_changed_byte_and_one_missing_file_are_named(tmp_path: Path, three: list[Saved]) -> None:
    (tmp_path / str(three[0].file)).write_bytes(b"onf")
    (tmp_path / str(three[1].file)).unlink()
    found = drill.compared(tmp_path)
    assert found["different"] == 2
    assert found["faults"] == ["datasets/one: another content", "datasets/two: missing"]


def test_without_a_manifest_nothing_is_compared(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no manifest"):
        drill.compared(tmp_path)


def test_a_damaged_pack_is_named_with_the_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"whole", b"damaged"):
        folder = tmp_path / "data" / "aa"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(content).hexdigest()).write_bytes(content.replace(b"dam", b"Dam"))

    def restic(command: str, *_: str, **__: object) -> SimpleNamespace:
        if command == "restore":
            raise VaultError("restic restore ended with 1: ciphertext verification failed")
        told = [{"id": "ab" * 32, "time": TAKEN, "paths": ["/staging/snapshot"]}]
        return SimpleNamespace(stdout=json.dumps(told if command == "snapshots" else {"total_size": 1}))

    monkeypatch.setattr(drill, "restic", restic)
    monkeypatch.setattr(drill, "REPOSITORY", tmp_path)
    pack = hashlib.sha256(b"damaged").hexdigest()
    with pytest.raises(
        VaultError, match=f"snapshot abababab cannot be restored: .*; damaged: data/aa/{pack}$"
    ):
        drill.drill(None, tmp_path)


def test_what_two_jobs_have_saved_comes_back_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data sets are newer in the nightly job, all else is in the other: each is compared as it was there."""
    told: list[dict[str, object]] = []
    kept: dict[str, Path] = {}
    for name, hour, job, sources, keys in (
        ("a" * 64, 2, "all", ("bucket/datasets", "bucket/models"), ("models/m", "datasets/old")),
        ("b" * 64, 3, "nightly", ("bucket/datasets",), ("datasets/new",)),
    ):
        kept[name] = tmp_path / job / "staging" / "snapshot"
        kept[name].mkdir(parents=True)
        entries = [saved(kept[name], key.split("/")[1], key.encode(), key.split("/")[0]) for key in keys]
        lines = "".join(f"{line}\n" for line in objects.manifest(TAKEN, entries))
        (kept[name] / "manifest.jsonl").write_text(lines)
        tags = ["complete", *series.tags(job, sources, objects=1, rows=0)]
        time = f"2026-01-31T0{hour}:00:00Z"
        told.append({"id": name, "time": time, "tags": tags, "paths": ["/staging/snapshot"]})

    def restic(command: str, *arguments: str, **_: object) -> SimpleNamespace:
        if command == "restore":
            target = drill.restored(Path("/staging/snapshot"), tmp_path / "root")
            shutil.copytree(kept[arguments[-1]], target, dirs_exist_ok=True)
        return SimpleNamespace(stdout=json.dumps(told if command == "snapshots" else {"total_size": 5}))

    monkeypatch.setattr(drill, "restic", restic)
    needed: list[int] = []
    found = drill.drill(None, tmp_path / "root", needed.append)
    assert needed == [10]
    assert (found["objects"], found["different"]) == (2, 0)
    assert {part["job"]: part["sources"] for part in found["snapshots"]} == {
        "all": ("bucket/models",),
        "nightly": ("bucket/datasets",),
    }
    assert found["taken"] == "2026-01-31T02:00:00Z"
    assert found["archive"]["expected"] is False
