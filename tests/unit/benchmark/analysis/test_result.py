"""The source tree that a result names: by content, whatever is committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmark.analysis import result as results


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "benchmark").mkdir(parents=True)
    (root / "benchmark" / "train.py").write_text("steps = 1\n")
    (root / ".gitignore").write_text("out/\n")
    (root / "Pulumi.yaml").write_text("name: aidc\n")
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "a tree")
    return root


def git(root: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def test_the_file_that_up_writes_into_makes_no_commit_dirty(repository: Path) -> None:
    clean = results.git(repository)
    (repository / "Pulumi.dev.yaml").write_text("encryptionsalt: v1\nconfig: {}\n")
    (repository / "Pulumi.test.yaml").write_text("config: {}\n")
    assert results.git(repository) == clean
    assert clean["git_dirty"] is False


@pytest.mark.parametrize(
    ("name", "text"),
    [("benchmark/train.py", "steps = 2\n"), ("new.py", ""), ("Pulumi.yaml", "name: other\n")],
)
def test_a_change_makes_another_tree(repository: Path, name: str, text: str) -> None:
    before = results.git(repository)
    (repository / name).write_text(text)
    after = results.git(repository)
    assert after["git_dirty"]
    assert after["git_commit"] == before["git_commit"]
    assert after["source_sha256"] != before["source_sha256"]


def test_the_same_files_have_the_same_hash_committed_or_not(repository: Path) -> None:
    (repository / "new.py").write_text("x = 1\n")
    before = results.source_sha256(repository)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "more")
    assert results.source_sha256(repository) == before
    assert results.source_sha256(repository / "benchmark") == before


def test_what_git_ignores_is_no_source(repository: Path) -> None:
    before = results.git(repository)
    (repository / "out").mkdir()
    (repository / "out" / "result.json").write_text("{}")
    assert results.git(repository) == before


def test_a_file_that_was_deleted_is_a_change(repository: Path) -> None:
    before = results.source_sha256(repository)
    (repository / "benchmark" / "train.py").unlink()
    assert results.source_sha256(repository) != before
    assert results.git(repository)["git_dirty"]


def test_outside_a_repository_nothing_is_named(tmp_path: Path) -> None:
    assert set(results.git(tmp_path).values()) == {None}
