"""What a job takes along: the right files, no secrets, and clear words for what cannot go."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from operations.errors import RefusedError
from operations.jobs import package
from operations.jobs.package import Package, pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train.py", "model/net.py", ".git/config", ".env", "model/__pycache__/net.pyc", "out/big"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def names(packed: Package) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(packed.content)).namelist()


def test_a_script_goes_alone(folder: Path) -> None:
    packed = pack(str(folder / "train.py"))
    assert (packed.script, names(packed)) == ("train.py", ["train.py"])


def test_a_folder_goes_without_what_is_hidden_or_made(folder: Path) -> None:
    packed = pack("train.py", str(folder))
    assert (packed.script, names(packed)) == ("train.py", ["model/net.py", "train.py"])


def test_a_script_below_the_folder_keeps_its_path(folder: Path) -> None:
    assert pack(str(folder / "model/net.py"), str(folder)).script == "model/net.py"


def test_the_same_files_make_the_same_package_at_any_time(folder: Path) -> None:
    first = pack("train.py", str(folder))
    (folder / "train.py").touch()
    assert pack("train.py", str(folder)).name == first.name
    (folder / "train.py").write_text("other")
    assert pack("train.py", str(folder)).name != first.name


def test_a_link_out_of_the_folder_is_not_followed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    assert "link" not in names(pack("train.py", str(folder)))


@pytest.mark.parametrize(
    ("script", "workdir", "words"),
    [
        ("nope.py", None, "nope.py does not exist"),
        ("model", None, "is a folder"),
        ("train.py", "nowhere", "does not exist"),
        ("train.py", "train.py", "is a file"),
        ("nope.py", ".", "does not exist"),
        ("train.py", "model", "is not in WORKDIR"),
    ],
)
def test_what_cannot_go_is_named_with_the_fix(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, workdir: str | None, words: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(RefusedError, match=words) as refused:
        pack(script, workdir)
    assert "fix: " in str(refused.value)


def test_a_script_that_is_too_big_is_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "SCRIPT_MOST", 3)
    with pytest.raises(RefusedError, match="bucket `datasets`"):
        pack(str(folder / "train.py"))


def test_a_folder_that_is_too_big_names_its_largest_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "FOLDER_MOST", 3)
    with pytest.raises(RefusedError, match=r"the largest: model/net\.py"):
        pack("train.py", str(folder))


def test_a_module_in_the_place_of_ours_is_refused(folder: Path) -> None:
    (folder / "benchmark.py").write_text("")
    with pytest.raises(RefusedError, match="rename it"):
        pack("train.py", str(folder))


@pytest.mark.parametrize("name", ["benchmark.py", "signal.py", "yaml.py"])
def test_a_script_in_the_place_of_a_module_that_is_loaded_before_it_is_refused(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(RefusedError, match=f"the place of '{name.removesuffix('.py')}'"):
        pack(str(tmp_path / name))


def test_only_what_would_be_imported_is_refused(folder: Path) -> None:
    (folder / "queue").mkdir()
    (folder / "queue" / "rows.csv").write_text("")
    (folder / "signal.txt").write_text("")
    assert pack("train.py", str(folder)).files > 1
    (folder / "queue" / "__init__.py").write_text("")
    with pytest.raises(RefusedError, match="'queue'"):
        pack("train.py", str(folder))
