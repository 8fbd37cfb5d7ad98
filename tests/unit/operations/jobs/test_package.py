"""What a job takes along: the right files, no secrets, and clear words for what cannot go."""

from __future__ import annotations

import io
import os
import warnings
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


def test_links_that_do_not_come_along_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "here.py").symlink_to(folder / "train.py")
    (folder / "net").symlink_to(folder / "model")
    (folder / "data.csv").symlink_to("/etc/hostname")
    (folder / ".hidden").symlink_to("/etc")
    assert names(pack("train.py", str(folder))) == ["here.py", "model/net.py", "train.py"]
    assert "'net', 'data.csv': not taken along" in capsys.readouterr().err


def test_a_folder_without_such_links_is_packed_in_silence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "pipe")
    assert "pipe" not in names(pack("train.py", str(folder)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", [b"a\nb.py", b"caf\xe9.py", b"\x1b[31m.py"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_name_that_cannot_be_told_is_refused(folder: Path, name: bytes, alone: bool) -> None:
    script = folder / os.fsdecode(name)
    script.write_text("")
    with pytest.raises(RefusedError, match="rename it") as refused:
        pack(str(script)) if alone else pack("train.py", str(folder))
    assert str(refused.value).replace("\n", "").isprintable() or alone


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(RefusedError, match=r"net\.py cannot be read: Permission denied"):
        pack("train.py", str(folder))


@pytest.mark.parametrize(("name", "words"), [("t.ipynb", "is a notebook"), ("t.sh", "script of the shell")])
def test_what_is_no_python_file_is_refused(folder: Path, name: str, words: str) -> None:
    (folder / name).write_text("")
    with pytest.raises(RefusedError, match=words):
        pack(str(folder / name))


def test_modules_beside_a_script_that_goes_alone_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "nothing").mkdir()
    (folder / "tools.py").write_text("")
    script = folder / "train.py"
    script.write_text(
        "import nothing, os, torch\nfrom model.net import Net\nfrom . import x\nimport tools as t"
    )
    pack(str(script))
    told = capsys.readouterr().err
    assert "imports model, tools, which" in told
    assert f"fix: WORKDIR={folder}" in told
    pack("train.py", str(folder))
    assert capsys.readouterr().err == ""


def test_a_script_that_only_the_nodes_can_read_goes_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_bytes(b"type X = int\n\xff")
    assert pack(str(tmp_path / "t.py")).files == 1


def test_what_python_has_to_say_of_a_script_is_left_to_the_job(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("if 1 is 1: print('\\d')\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pack(str(tmp_path / "t.py")).files == 1
