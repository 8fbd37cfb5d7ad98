"""The compute image holds what its programs import, and no module that only a workstation runs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from operations import images
from operations.images import PROGRAMS, ROOT, copy_package
from operations.modules import needed


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("image") / "benchmark"
    copy_package("benchmark", into)
    return into


def test_the_image_holds_what_its_programs_import(package: Path) -> None:
    inside = {p.relative_to(package) for p in package.rglob("*.py")}
    wanted = {p.relative_to(ROOT / "benchmark") for p in needed(ROOT, PROGRAMS["benchmark"])}
    assert wanted <= inside


@pytest.mark.parametrize("name", ["__main__.py", "abba.py", "report.py", "run.py", "templates"])
def test_what_only_a_workstation_runs_is_left_out(package: Path, name: str) -> None:
    assert (ROOT / "benchmark" / name).exists()
    assert not (package / name).exists()


def test_data_that_come_with_the_package_are_there(package: Path) -> None:
    assert (package / "workloads" / "bytelm.files.tsv").is_file()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images built by `refresh`, whose contexts are `.build/<name>/Dockerfile` with the text "old"."""
    made: list[str] = []
    monkeypatch.setattr(images, "BUILD", tmp_path)
    monkeypatch.setattr(images, "exists", lambda image: False)

    def build(name: str, image: str) -> float:
        made.append(name)
        return 1.0

    monkeypatch.setattr(images, "build", build)
    for name in ("compute", "vault"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("old")
    return made


def assembling(texts: dict[str, str], into: Path) -> Callable[[str], None]:
    def assemble(name: str) -> None:
        if name not in texts:
            raise images.BuildError(f"image {name}: a program is missing")
        (into / name / "Dockerfile").write_text(texts[name])

    return assemble


def test_only_what_was_edited_is_built(
    built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "assemble", assembling({"compute": "new", "vault": "old"}, tmp_path))
    images.refresh()
    assert built == ["compute"]


def test_what_cannot_be_assembled_is_left_alone(
    built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "assemble", assembling({"vault": "new"}, tmp_path))
    images.refresh()
    assert built == ["vault"]


def test_imports_are_followed_through_packages_and_functions(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    files = {
        "a/__init__.py": "",
        "a/start.py": "def f():\n    from a import b\n",
        "a/b/__init__.py": "import os\nimport a.end\n",
        "a/end.py": "",
        "a/other.py": "import a.start\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = {str(p.relative_to(tmp_path)) for p in needed(tmp_path, ["a.start"])}
    assert found == {"a/__init__.py", "a/start.py", "a/b/__init__.py", "a/end.py"}


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape("a.start: no module")):
        needed(tmp_path, ["a.start"])
