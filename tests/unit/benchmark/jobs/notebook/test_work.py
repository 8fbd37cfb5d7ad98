"""What is saved comes back on every node, and what was not saved is never lost."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.errors import StoreError
from benchmark.core.store import DirectoryStore
from benchmark.jobs.notebook.run import Saver
from benchmark.jobs.notebook.work import Work

PREFIX = "results/notebook/"


def node(tmp_path: Path, name: str = "one") -> Work:
    """A notebook as it begins on a node; all share the store."""
    return Work(
        tmp_path / name / "notebook",
        tmp_path / name / "notebook.json",
        DirectoryStore(tmp_path / "store"),
        PREFIX,
    )


def begun(tmp_path: Path, name: str = "one") -> Work:
    work = node(tmp_path, name)
    work.restore(name)
    return work


def names(work: Work) -> list[str]:
    return sorted(p.relative_to(work.folder).as_posix() for p in work.folder.rglob("*") if p.is_file())


def stored(work: Work) -> list[str]:
    return [key.removeprefix(PREFIX) for key in work.store.list(PREFIX)]


def test_a_changed_file_is_saved_once(tmp_path: Path) -> None:
    work = begun(tmp_path)
    (work.folder / "deep").mkdir()
    (work.folder / "deep/a b.ipynb").write_text("1")
    assert work.save().done == 1
    assert work.save().done == 0
    assert work.store.get(f"{PREFIX}deep/a b.ipynb") == b"1"


def test_another_node_fetches_the_work(tmp_path: Path) -> None:
    work = begun(tmp_path)
    (work.folder / "deep").mkdir()
    (work.folder / "deep/a.py").write_text("1")
    work.save()
    other = begun(tmp_path, "two")
    assert (other.folder / "deep/a.py").read_text() == "1"
    assert other.save().done == 0


def test_what_is_deleted_is_deleted_in_the_store(tmp_path: Path) -> None:
    work = begun(tmp_path)
    for name in ("a", "b"):
        (work.folder / name).write_text(name)
    work.save()
    (work.folder / "a").unlink()
    work.save()
    assert stored(work) == ["b"]


def test_what_was_deleted_elsewhere_does_not_come_back(tmp_path: Path) -> None:
    first = begun(tmp_path)
    for name in ("a", "b"):
        (first.folder / name).write_text(name)
    first.save()
    second = begun(tmp_path, "two")
    (second.folder / "a").unlink()
    second.save()
    again = begun(tmp_path)
    assert names(again) == ["b"]


def test_a_store_that_lost_everything_gets_it_back(tmp_path: Path) -> None:
    first = begun(tmp_path)
    (first.folder / "a").write_text("a")
    first.save()
    first.store.delete(f"{PREFIX}a")
    again = begun(tmp_path)
    again.save()
    assert stored(again) == ["a"]


def test_what_a_node_had_not_saved_is_kept_beside_what_the_store_has(tmp_path: Path) -> None:
    first = begun(tmp_path)
    (first.folder / "a.ipynb").write_text("old")
    first.save()
    (first.folder / "a.ipynb").write_text("never saved")
    second = begun(tmp_path, "two")
    (second.folder / "a.ipynb").write_text("newer")
    second.save()
    again = begun(tmp_path)
    assert (again.folder / "a.ipynb").read_text() == "newer"
    assert (again.folder / "a (not saved on one).ipynb").read_text() == "never saved"
    again.save()
    assert stored(again) == ["a (not saved on one).ipynb", "a.ipynb"]


def test_hidden_names_links_and_caches_are_not_saved(tmp_path: Path) -> None:
    work = begun(tmp_path)
    for name in (".ipynb_checkpoints", "__pycache__"):
        (work.folder / name).mkdir()
        (work.folder / name / "a").write_text("a")
    (work.folder / ".hidden").write_text("a")
    (work.folder / "link").symlink_to("/etc/passwd")
    assert work.save().done == 0
    assert work.is_empty()


@pytest.mark.parametrize("name", ["../out", "deep/../../out"])
def test_a_key_that_leads_out_of_the_folder_is_not_fetched(tmp_path: Path, name: str) -> None:
    class Hostile(DirectoryStore):
        def list(self, prefix: str) -> list[str]:
            return [f"{prefix}{name}"]

        def get(self, key: str) -> bytes:
            return b"x"

    work = Work(tmp_path / "w/n", tmp_path / "w/n.json", Hostile(tmp_path / "store"), PREFIX)
    report = work.restore("one")
    assert list(report.faults) == [name]
    assert not (tmp_path / "w/out").exists()


class Keys(DirectoryStore):
    """As S3 has it: any text is a key, and a marker of a folder is one as well."""

    def __init__(self, root: Path, *keys: str) -> None:
        super().__init__(root)
        self.content = {PREFIX + key: b"x" for key in keys}

    def list(self, prefix: str) -> list[str]:
        return sorted(self.content)

    @contextmanager
    def open(self, key: str) -> Iterator[Any]:
        yield io.BytesIO(self.content[key])

    def put_file(self, key: str, path: Path) -> None:
        key.encode()
        self.content[key] = path.read_bytes()

    def delete(self, key: str) -> None:
        del self.content[key]


@pytest.mark.parametrize("key", ["sub/", "", ".hidden", ".git/config", "__pycache__/m.pyc", "deep/.x/y"])
def test_what_is_not_fetched_stays_in_the_store(tmp_path: Path, key: str) -> None:
    store = Keys(tmp_path, key, "a.ipynb", "sub/x")
    work = Work(tmp_path / "w/n", tmp_path / "w/n.json", store, PREFIX)
    assert work.restore("one").faults == {}
    assert names(work) == ["a.ipynb", "sub/x"]
    work.save()
    assert store.list(PREFIX) == sorted(PREFIX + one for one in (key, "a.ipynb", "sub/x"))


def test_a_name_that_is_no_text_is_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    store = Keys(tmp_path)
    work = Work(tmp_path / "w/n", tmp_path / "w/n.json", store, PREFIX)
    work.restore("one")
    odd = os.fsdecode(b"gr\xf6\xdfe.csv")
    for name in (odd, "small"):
        (work.folder / name).write_text("x")
    assert list(work.save().faults) == [odd]
    assert store.list(PREFIX) == [f"{PREFIX}small"]


def test_what_cannot_be_saved_is_told_whatever_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work(tmp_path / "w/n", tmp_path / "w/n.json", Keys(tmp_path), PREFIX)
    work.restore("one")
    (work.folder / os.fsdecode(b"gr\xf6\xdfe.csv")).write_text("x")
    Saver(work).save()
    told = capsys.readouterr().out
    assert "gr\\udcf6\\udcdfe.csv cannot be saved" in told
    assert told.encode()


class Full(DirectoryStore):
    """Takes nothing that is called `big`, and gives nothing that is called `broken`."""

    def put_file(self, key: str, path: Path) -> None:
        if key.endswith("big"):
            raise StoreError(f"{key}: the quota of the bucket is used up")
        super().put_file(key, path)


def test_what_cannot_be_saved_is_named_and_tried_again_and_the_rest_is_saved(tmp_path: Path) -> None:
    work = Work(tmp_path / "w/n", tmp_path / "w/n.json", Full(tmp_path / "store"), PREFIX)
    work.restore("one")
    for name in ("big", "small"):
        (work.folder / name).write_text("x")
    for _ in range(2):
        report = work.save()
        assert list(report.faults) == ["big"]
        assert "quota" in report.faults["big"]
    assert stored(work) == ["small"]


def test_an_old_copy_does_not_take_the_place_of_what_could_not_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begun(tmp_path)
    (first.folder / "a").write_text("old")
    first.save()
    second = begun(tmp_path, "two")
    (second.folder / "a").write_text("newer")
    second.save()
    again = node(tmp_path)

    def unreachable(_key: str) -> None:
        raise StoreError("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(again.store, "open", unreachable)
        assert list(again.restore("one").faults) == ["a"]
    again.save()
    assert again.store.get(f"{PREFIX}a") == b"newer"
