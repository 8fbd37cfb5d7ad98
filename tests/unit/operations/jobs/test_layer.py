"""Layers of packages, made by uv from wheels that lie here: no index is asked."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import cast

import pytest

from benchmark.core.store import S3Store
from benchmark.jobs import packages
from operations.errors import RefusedError
from operations.jobs import layer, locking, requirements
from operations.jobs.layer import Layer, provide


def wheel(folder: Path, name: str, version: str, code: str) -> None:
    """A wheel of one module, with a program."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}"
        for path, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels in the place of the index; the cache of this machine is another one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        wheel(folder, "smallish", version, f"version = '{version}'\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("AIDC_CACHE", str(tmp_path / "cache"))
    return folder


def made(pip: str) -> Layer:
    wanted, issues = layer.read(pip, None)
    assert not issues
    found = provide(wanted)
    assert found is not None
    return found


def unpacked(found: Layer, folder: Path) -> Path:
    with layer.archive_of(found).open("rb") as file:
        packages.unpack(file, folder)
    return folder


def test_a_layer_holds_the_package_and_its_lock_under_its_digest(tmp_path: Path) -> None:
    found = made("smallish==1.0")
    tree = unpacked(found, tmp_path / "tree")
    assert packages.digest_of(tree) == found.digest
    assert (tree / "smallish.py").read_text() == "version = '1.0'\n"
    assert (tree / packages.LOCK).read_text().startswith("smallish==1.0 \\\n    --hash=sha256:")


def test_nothing_in_a_layer_depends_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made("smallish==1.0")
    before = layer.archive_of(first).read_bytes()
    monkeypatch.setenv("AIDC_CACHE", str(tmp_path / "elsewhere"))
    second = made("smallish==1.0")
    assert (second, layer.archive_of(second).read_bytes()) == (first, before)
    tree = unpacked(second, tmp_path / "tree")
    assert not (tree / "bin" / "smallish").exists()
    assert not any(str(tmp_path) in path.read_text() for path in tree.rglob("*") if path.is_file())


def test_the_second_time_neither_uv_nor_an_index_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made("smallish")

    def fails(*_: object) -> tuple[int, str, str]:
        raise AssertionError("uv was called")

    monkeypatch.setattr(locking, "uv", fails)
    assert made("smallish") == first


def test_the_same_request_keeps_its_versions_until_it_is_resolved_anew(index: Path) -> None:
    first = made("smallish")
    wheel(index, "smallish", "3.0", "version = '3.0'\n")
    assert made("smallish") == first
    wanted, _ = layer.read("smallish", None)
    fresh = provide(wanted, refresh=True)
    assert fresh is not None
    assert fresh.digest != first.digest
    assert made("smallish") == fresh


def test_two_requests_with_one_lock_share_a_layer(tmp_path: Path) -> None:
    assert made("smallish==2.0") == made("smallish>=2")
    assert len(list((tmp_path / "cache" / "packages").glob("*/layer.json"))) == 1


def test_what_the_image_has_makes_no_layer(index: Path) -> None:
    version = requirements.pins(locking.IMAGE_LOCK.read_text())["six"]
    wheel(index, "six", version, "")
    wanted, issues = layer.read("six", None)
    assert not issues
    assert provide(wanted) is None


def test_a_name_that_does_not_exist_and_a_version_are_refused_together() -> None:
    wanted, _ = layer.read("nosuch smallish==7", None)
    with pytest.raises(RefusedError) as error:
        provide(wanted)
    assert str(error.value).startswith(
        "2 problems; nothing was submitted\n  PIP: nosuch: there is no package"
    )
    assert "smallish==7: there is no such version" in str(error.value)


def test_a_wheel_that_changed_under_its_lock_is_refused(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("smallish==1.0")
    for done in (tmp_path / "cache" / "packages").glob("*/layer.json"):
        done.unlink()
        (done.parent / "layer.tar.gz").unlink()
        (done.parent / packages.LOCK).unlink()
        done.parent.rmdir()
    wheel(index, "smallish", "1.0", "import os  # changed\n")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(RefusedError, match=r"(?i)hash"):
        made("smallish==1.0")


def test_too_much_is_refused_with_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "MOST", 10)
    with pytest.raises(RefusedError, match=r"the largest: .*smallish"):
        made("smallish")


def test_an_interrupted_build_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(layer, "pack", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made("smallish")
    assert not list((tmp_path / "cache" / "packages").glob("*/*"))
    assert json.loads(layer.archive_of(made("smallish")).with_name("layer.json").read_text())["packages"] == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "r.txt"
    if content:
        path.write_bytes(content)
    _, issues = layer.read(None, str(path))
    assert [issue.path for issue in issues] == [f"REQUIREMENTS: {path}"]


class Bucket:
    """The part of an object store's client that an upload needs."""

    def __init__(self, present: bool) -> None:
        self.present, self.client, self.written = present, self, list[tuple[str, str]]()

    def exists(self, _key: str) -> bool:
        return self.present

    def upload_file(self, _path: str, bucket: str, key: str) -> None:
        self.written.append((bucket, key))


@pytest.mark.parametrize(
    ("present", "anew", "written"), [(False, False, 1), (True, False, 0), (True, True, 1)]
)
def test_a_layer_is_uploaded_once_and_again_when_asked(present: bool, anew: bool, written: int) -> None:
    found, bucket = made("smallish"), Bucket(present)
    layer.upload(found, cast("S3Store", bucket), anew=anew)
    assert bucket.written == [("datasets", f"packages/{found.digest}.tar.gz")] * written
