"""A folder that is given as a copy of a vault: what is wrong with it is said before anything is created."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from operations.restoring import copied
from operations.restoring.copied import NAMED, Copied


def write(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "backup"
    for name in NAMED:
        write(root / name / ("aa" if name == "data" else ""), name.encode())
    (root / "config").write_bytes(b"encrypted")
    return tmp_path


def test_the_vault_s_data_and_the_repository_in_it_are_both_taken(copy: Path) -> None:
    assert copied.find(copy) == (Copied(copy / "backup"), [])
    assert copied.find(copy / "backup") == (Copied(copy / "backup"), [])


@pytest.mark.parametrize(
    ("made", "fault"), [("", "does not exist"), ("file", "is no folder"), ("dir", "is empty")]
)
def test_what_is_no_copy_is_said_in_words(tmp_path: Path, made: str, fault: str) -> None:
    place = tmp_path / "place"
    if made == "file":
        place.write_text("x")
    elif made == "dir":
        place.mkdir()
    found, issues = copied.find(place)
    assert found is None
    assert [issue.fault for issue in issues] == [fault]


@pytest.mark.parametrize("part", [*NAMED, "config"])
def test_a_missing_part_is_named(copy: Path, part: str) -> None:
    path = copy / "backup" / part
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        file.unlink()
    for folder in sorted((p for p in path.rglob("*") if p.is_dir()), reverse=True):
        folder.rmdir()
    found, issues = copied.find(copy)
    assert found is None
    assert f"not a whole one: {part} missing" in issues[0].fault


def test_a_whole_copy_has_no_damage_and_is_counted(copy: Path) -> None:
    seen: list[int] = []
    assert Copied(copy / "backup").damaged(seen.append) == []
    assert Copied(copy / "backup").totals() == (4, sum(map(len, NAMED)))
    assert sum(seen) == sum(map(len, NAMED))


def test_one_changed_byte_in_a_pack_is_found_and_named(copy: Path) -> None:
    pack = next((copy / "backup" / "data").rglob("[0-9a-f]" * 64))
    pack.write_bytes(b"dato")
    damaged = Copied(copy / "backup").damaged(lambda _: None)
    assert damaged == [pack.relative_to(copy / "backup")]
    assert pack.name in copied.damage(damaged).fault


def test_locks_of_writers_that_died_are_not_copied(copy: Path) -> None:
    write(copy / "backup" / "locks", b"lock")
    assert all("locks" not in path.parts for path in Copied(copy / "backup").files())
