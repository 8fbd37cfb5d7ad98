"""What is written into the vault's volume from a copy."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from components.backup import VAULT_USER
from operations.errors import OperationError
from operations.restoring import vault
from operations.restoring.copied import Copied


class Container:
    """Takes an archive apart, as the engine does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.members: dict[str, tarfile.TarInfo] = {}

    def put_archive(self, place: str, chunks: Any) -> None:
        path = self.folder / "archive.tar"
        path.write_bytes(b"".join(chunks))
        with tarfile.open(path) as archive:
            self.members = {member.name: member for member in archive}
            archive.extractall(self.folder / "out", filter="data")


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    root = tmp_path / "copy"
    for name in ("keys", "data/aa"):
        (root / name).mkdir(parents=True)
        content = name.encode() * 1000
        path = root / name / hashlib.sha256(content).hexdigest()
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (root / "config").write_bytes(b"c")
    return Copied(root)


def test_files_keep_their_time_and_belong_to_the_vault_alone(tmp_path: Path, copied: Copied) -> None:
    container, sizes = Container(tmp_path), list[int]()
    files = [*copied.files("keys", "data"), copied.root / "config"]
    vault._put(container, "/data", vault._repository(copied, files, sizes.append))
    assert sum(sizes) == sum(path.stat().st_size for path in files)
    for path in files:
        member = container.members[f"backup/{path.relative_to(copied.root)}"]
        assert (member.uid, member.mode, member.mtime) == (int(VAULT_USER), 0o600, int(path.stat().st_mtime))
        assert (tmp_path / "out" / member.name).read_bytes() == path.read_bytes()
    assert container.members["backup/locks"].isdir()
    assert {m.mode for m in container.members.values() if m.isdir()} == {0o700}


def test_passwords_are_readable_by_their_user_alone(tmp_path: Path) -> None:
    container = Container(tmp_path)
    vault._put(container, "/etc/aidc", vault._secrets(("new", "old")))
    assert {name: member.mode for name, member in container.members.items()} == {
        "repository-password": 0o400,
        "repository-password-before": 0o400,
    }


def test_a_copy_that_vanishes_meanwhile_is_an_error(tmp_path: Path, copied: Copied) -> None:
    files = list(copied.files("data"))
    entries = vault._repository(copied, files)
    broken = ((info, path.with_name("gone") if isinstance(path, Path) else path) for info, path in entries)
    with pytest.raises((OperationError, tarfile.TarError), match=r"cannot be read|unexpected end|empty file"):
        vault._put(Container(tmp_path), "/data", broken)
