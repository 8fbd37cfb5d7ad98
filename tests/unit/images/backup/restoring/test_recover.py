"""A restore into the running stack: which snapshot, what stands in its way, and what is put where."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from botocore.exceptions import ClientError

from images.backup.keeper.core import series
from images.backup.keeper.core.objects import Listed, Saved
from images.backup.keeper.core.progress import Progress
from images.backup.keeper.restoring import recover, refill, reload
from images.backup.keeper.restoring.ledger import Ledger
from images.backup.keeper.restoring.refill import Copies
from images.backup.keeper.restoring.restore import RestoreError
from images.backup.keeper.sources import vault

FOLDER = Path("/staging/snapshot")
SNAPSHOTS: list[dict[str, Any]] = [
    {"id": "aa11", "time": "2026-01-31T01:00:00.1Z", "tags": ["complete", "objects=5"]},
    {"id": "bb22", "time": "2026-01-31T02:00:00.2Z", "tags": ["complete", "objects=7"]},
    {"id": "bb33", "time": "2026-01-31T03:00:00.3Z", "tags": ["complete", "objects=0"]},
]


def order(**changes: Any) -> recover.Order:
    return recover.Order(("datasets",), ("tracking",), **changes)


def ids(picks: dict[str, series.Pick]) -> dict[str, str]:
    return {source: str(pick.snapshot["id"]) for source, pick in picks.items()}


BOTH = ("bucket/datasets", "database/tracking")


def test_an_order_takes_each_source_from_the_newest_snapshot_of_a_stack_that_held_something() -> None:
    found = recover.choose(SNAPSHOTS, order(), {})
    assert ids(found) == dict.fromkeys(BOTH, "bb22")
    assert {pick.passed_over for pick in found.values()} == {1}


def test_only_snapshots_of_the_copy_are_taken_by_a_rebuild() -> None:
    found = recover.choose(SNAPSHOTS, order(among=("aa11",)), {})
    assert ids(found) == dict.fromkeys(BOTH, "aa11")


def test_an_interrupted_restore_goes_on_with_its_snapshot_unless_a_time_is_named() -> None:
    begun = {"bucket/datasets": "aa11", "bucket/other": "aa11"}
    assert ids(recover.choose(SNAPSHOTS, order(), begun)) == dict(zip(BOTH, ("aa11", "bb22"), strict=True))
    at = "2026-01-31T02:30:00+00:00"
    assert ids(recover.choose(SNAPSHOTS, order(at=at), begun)) == dict.fromkeys(BOTH, "bb22")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"at": "2026-01-30T00:00:00+00:00"}, "no snapshot until 2026-01-30"),
        ({"among": ()}, "no snapshot"),
    ],
)
def test_without_a_snapshot_there_is_an_error(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(RestoreError, match=fault):
        recover.choose(SNAPSHOTS, order(**changes), {})


def test_rows_that_a_service_fills_in_by_itself_do_not_stand_in_the_way() -> None:
    facts = {"t.version": {"rows": 1}, "t.users": {"rows": 3}, "t.runs": {"rows": 0}}
    assert recover.own_rows(facts, {"t.version": 1, "t.users": 1}) == {"t.users": 3}


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"buckets": 3, "databases": []}'])
def test_an_order_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(RestoreError, match="no order"):
        recover.read(line)


def test_keys_of_an_order_are_not_shown() -> None:
    told = {"buckets": ["a"], "databases": ["d"], "s3": ["ID", "KEY"], "roles": {"d": ["d_owner", "PASS"]}}
    order = recover.read(json.dumps(told))
    assert order.s3 == ("ID", "KEY")
    assert "KEY" not in repr(order)
    assert "PASS" not in repr(order)


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        ({"t": {"rows": 2, "digest": "1"}}, ""),
        ({"t": {"rows": 3, "digest": "1"}}, "table t has 3 rows, saved were 2"),
        ({"t": {"rows": 2, "digest": "9"}}, "table t has 2 rows with another content, saved were 2"),
        ({}, "table t has no rows, saved were 2"),
    ],
)
def test_other_rows_are_named(after: dict[str, Any], fault: str) -> None:
    assert reload.difference({"t": {"rows": 2, "digest": "1"}}, after) == fault


# -- objects -------------------------------------------------------------------------------------------------


def saved(key: str, content: bytes, **changes: Any) -> Saved:
    listed = Listed("datasets", key, len(content), "e", "2026-01-31T00:00:00+00:00")
    digest = hashlib.sha256(content).hexdigest()
    return Saved(
        listed, **{"file": listed.file, "sha256": digest, "headers": {"ContentType": key}, **changes}
    )


class Store:
    """Keeps what is put; `broken` keys are refused, `altered` ones come back with another content."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self.broken: set[str] = set()
        self.altered: set[str] = set()

    def upload_file(self, path: str, bucket: str, key: str, ExtraArgs: dict[str, Any], Config: Any) -> None:  # noqa: N803
        self.put_object(bucket, key, Path(path).read_bytes(), **ExtraArgs)

    def put_object(self, Bucket: str, Key: str, Body: bytes = b"", **headers: Any) -> None:  # noqa: N803
        if Key in self.broken:
            raise ClientError(
                {"Error": {"Code": "XMinioAdminBucketQuotaExceeded", "Message": "full"}}, "PutObject"
            )
        self.held[Key] = (Body, headers)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        content = self.held[Key][0] + (b"!" if Key in self.altered else b"")
        return {"Body": Body(content)}


class Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        yield self.content


class Vault:
    """What restic would dump: an archive of `files`, cut off after `whole` of them, and each by itself."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.whole, self.unreadable = files, len(files), set[str]()
        self.cut: int | None = None

    @contextmanager
    def dumping(self, snapshot: str, path: Path, *options: str) -> Iterator[BinaryIO]:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for name, content in sorted(self.files.items())[: self.whole]:
                info = tarfile.TarInfo(f"{FOLDER}/{name}".lstrip("/"))
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        yield io.BytesIO(stream.getvalue()[: self.cut])
        if self.whole < len(self.files):
            raise vault.VaultError("restic ended with 1: ciphertext verification failed")

    def dump(self, snapshot: str, path: Path) -> Iterator[bytes]:
        name = path.relative_to(FOLDER).as_posix()
        if name in self.unreadable:
            raise vault.VaultError("restic ended with 1: ciphertext verification failed")
        yield self.files[name]


OBJECTS = {f"k{n}": b"content %d" % n for n in range(30)} | {"empty": b""}


class Lab:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.saved = {key: saved(key, content) for key, content in OBJECTS.items()}
        self.vault = Vault({str(self.saved[key].file): content for key, content in OBJECTS.items()})
        monkeypatch.setattr(vault, "dumping", self.vault.dumping)
        monkeypatch.setattr(vault, "dump", self.vault.dump)
        self.store, self.room = Store(), folder / "room"
        self.room.mkdir()
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ledger.add(self.saved.values())

    def refill(self) -> None:
        buckets = frozenset({"datasets"})
        refill.refill(Copies("s", FOLDER, self.room, buckets), self.store, self.ledger, Progress())
        refill.verify(self.store, self.ledger, "put", Progress(), "read")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


def test_every_object_is_put_with_its_headers_and_read_back(lab: Lab) -> None:
    lab.refill()
    assert lab.store.held == {key: (content, {"ContentType": key}) for key, content in OBJECTS.items()}
    assert lab.ledger.totals("verified") == (len(OBJECTS), sum(map(len, OBJECTS.values())))
    assert list(lab.room.iterdir()) == []


def test_objects_of_a_bucket_that_comes_from_another_snapshot_are_left_to_it(lab: Lab) -> None:
    copies = Copies("s", FOLDER, lab.room, frozenset({"models"}))
    refill.refill(copies, lab.store, lab.ledger, Progress())
    assert lab.store.held == {}
    assert lab.ledger.totals("wanted")[0] == len(OBJECTS)


def test_after_a_damaged_pack_everything_else_is_put_and_the_object_is_named(lab: Lab) -> None:
    lab.vault.whole = 4
    lost = sorted(lab.vault.files)[20]
    lab.vault.unreadable.add(lost)
    lab.refill()
    assert lab.ledger.totals("verified")[0] == len(OBJECTS) - 1
    (fault,) = lab.ledger.faults(9)
    assert "cannot be read from the vault" in fault


@pytest.mark.parametrize("cut", range(0, 20_000, 1300))
def test_wherever_the_stream_is_cut_off_every_object_is_put(lab: Lab, cut: int) -> None:
    lab.vault.cut = cut
    lab.refill()
    assert lab.store.held.keys() == OBJECTS.keys()
    assert lab.ledger.outstanding() == 0


def test_an_object_that_was_left_half_way_is_not_restored(lab: Lab) -> None:
    lab.refill()
    lab.ledger.mark(lab.saved["k5"], "under way")
    assert lab.ledger.outstanding() == 1
    assert lab.ledger.faults(9) == ["datasets/k5: was not restored"]


def test_a_copy_with_another_content_is_not_put(lab: Lab) -> None:
    lab.vault.files[str(lab.saved["k3"].file)] = b"something else"
    lab.refill()
    assert "k3" not in lab.store.held
    assert lab.ledger.faults(9) == [f"datasets/k3: {refill.BROKEN}"]


def test_what_the_store_refuses_is_named_and_the_rest_is_put(lab: Lab) -> None:
    lab.store.broken.add("k7")
    lab.refill()
    assert set(lab.store.held) == set(OBJECTS) - {"k7"}
    assert "k7: the store does not take it: XMinioAdminBucketQuotaExceeded" in lab.ledger.faults(9)[0]


def test_what_comes_back_otherwise_than_it_was_put_fails(lab: Lab) -> None:
    lab.store.altered.add("k9")
    lab.refill()
    assert lab.ledger.faults(9) == [f"datasets/k9: {refill.OTHER}"]


def test_what_an_interrupted_restore_has_put_is_compared_and_not_put_again(lab: Lab) -> None:
    lab.store.held = {"k1": (OBJECTS["k1"], {}), "k2": (b"written by somebody else", {})}
    for key in ("k1", "k2"):
        lab.ledger.present("datasets", key)
    refill.verify(lab.store, lab.ledger, "there", Progress(), "before")
    lab.refill()
    assert lab.store.held["k1"] == (OBJECTS["k1"], {})
    assert lab.store.held["k2"][0] == b"written by somebody else"
    assert lab.ledger.faults(9) == [f"datasets/k2: {refill.OTHER}"]


def test_an_object_without_a_copy_is_lost_and_not_failed(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add([saved("gone", b"x", file=None, sha256=None, unreadable="AccessDenied")])
        assert ledger.totals("lost") == (1, 1)
        assert ledger.totals("wanted") == (0, 0)
        assert ledger.faults(9) == ["datasets/gone: AccessDenied"]


def test_progress_is_told_at_the_start_now_and_then_and_at_the_end() -> None:
    lines: list[dict[str, Any]] = []
    clock = iter([0.0, 0.1, 0.9, 0.9, 1.0]).__next__
    progress = Progress(lambda line: lines.append(json.loads(line)), clock)
    progress.step("objects", 2, 20)
    progress.add(1, 5)
    progress.add(1, 15)
    progress.end()
    assert [(line["done"], line["bytes"]) for line in lines] == [(0, 0), (2, 20), (2, 20)]
