"""The compute image holds what its programs import, and no module that only a workstation runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.planning.paths import ROOT
from components.runtime.image import reference
from operations.commands import images
from operations.images import building, contexts
from operations.images.contexts import copy_package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("image") / "benchmark"
    copy_package("benchmark", into)
    return into


def test_its_programs_start_with_what_the_image_holds_alone(package: Path) -> None:
    programs = "benchmark.training.job, benchmark.training.ray_train, benchmark.serving.app"
    command = [sys.executable, "-c", f"import {programs}; print(benchmark.__file__)"]
    found = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == str(package / "__init__.py"), found.stderr


@pytest.mark.parametrize("name", ["__main__.py", "experiments", "report", "cluster", "load", "analysis"])
def test_what_only_a_workstation_runs_is_left_out(package: Path, name: str) -> None:
    assert (ROOT / "benchmark" / name).exists()
    assert not (package / name).exists()


def test_data_that_come_with_the_package_are_there(package: Path) -> None:
    assert (package / "workloads" / "bytelm.files.tsv").is_file()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that were built; two have a context, whose Dockerfile says "old"."""
    made: list[str] = []
    monkeypatch.setattr(contexts, "BUILD", tmp_path)
    monkeypatch.setattr(building, "exists", lambda image: False)

    def build(name: str, image: str, context: Path) -> float:
        made.append(name)
        return 1.0

    monkeypatch.setattr(building, "build", build)
    return made


def sources(texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, contexts are one Dockerfile with this text; an image that is not named lacks a part."""

    def fill(name: str, fresh: Path) -> None:
        if name not in texts:
            raise contexts.IncompleteError(f"image {name}: a program is missing")
        (fresh / "Dockerfile").write_text(texts[name])

    monkeypatch.setattr(contexts, "_fill", fill)


def test_only_what_was_edited_is_built(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sources({"compute": "old", "vault": "old"}, monkeypatch)
    for name in ("compute", "vault"):
        building.ensure(name, verbose=False)
    known = {reference(name, contexts.BUILD) for name in ("compute", "vault")}
    monkeypatch.setattr(building, "exists", known.__contains__)
    built.clear()
    sources({"compute": "new", "vault": "old"}, monkeypatch)
    building.refresh()
    assert built == ["compute"]


def test_what_cannot_be_assembled_keeps_its_context(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources({"compute": "old", "vault": "old"}, monkeypatch)
    for name in ("compute", "vault"):
        building.ensure(name, verbose=False)
    before = reference("compute", contexts.BUILD)
    sources({"vault": "new"}, monkeypatch)
    building.refresh()
    assert reference("compute", contexts.BUILD) == before


def test_plans_see_a_context_only_when_its_image_is_there(
    built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources({"vault": "old"}, monkeypatch)
    building.ensure("vault", verbose=False)
    before = reference("vault", contexts.BUILD)
    seen: list[str] = []

    def build(name: str, image: str, context: Path) -> float:
        seen.append(reference(name, contexts.BUILD))
        return 1.0

    monkeypatch.setattr(building, "build", build)
    sources({"vault": "new"}, monkeypatch)
    building.ensure("vault", verbose=False)
    assert seen == [before]
    assert reference("vault", contexts.BUILD) != before


def test_a_failed_build_leaves_no_context_behind(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def build(name: str, image: str, context: Path) -> float:
        raise contexts.BuildError("image vault: the build failed")

    monkeypatch.setattr(building, "build", build)
    sources({"vault": "new"}, monkeypatch)
    with pytest.raises(contexts.BuildError):
        building.ensure("vault", verbose=False)
    assert not list((contexts.BUILD / "contexts").iterdir())


def test_a_machine_without_the_docker_cli_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contexts, "BUILD", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    sources({"files": "old"}, monkeypatch)
    assert images.main() == 1
    assert "`docker` is missing; fix: run `make setup`" in capsys.readouterr().err
