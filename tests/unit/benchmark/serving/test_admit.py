"""A user's own model from MLflow's folder to an answer; and what is refused on the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmark.core.errors import BenchmarkError, CheckpointError
from benchmark.core.store import DirectoryStore
from benchmark.serving import admit as admitting
from benchmark.serving import app
from benchmark.serving.admit import admit
from benchmark.serving.requests import RequestError
from benchmark.serving.settings import Arguments
from tests.unit.benchmark import own_model
from tests.unit.benchmark.served import ask, computed, prediction


def served(tmp_path: Path, **versions: dict[str, str]) -> Arguments:
    """The weights 1.0 as the model `sums`; `canary` adds 2.0 with these settings."""
    store = DirectoryStore(tmp_path)
    found = {}
    for name, weight, more in [
        ("sums", 1.0, {"version": "1"}),
        *((f"sums@{n}", 2.0, m) for n, m in versions.items()),
    ]:
        folder = own_model.folder(tmp_path / f"mlflow-{weight}", own_model.exported(weight))
        card = admit(store, "sums", more["version"], folder)
        found[name] = {
            "card": card["key"].replace("model.pt2", "model.json"),
            "sha256": card["sha256"],
            **more,
        }
    return Arguments(models=found, store=str(tmp_path))


def test_an_admitted_model_answers_and_names_its_version(tmp_path: Path) -> None:
    router = app.Router(served(tmp_path))
    found: list[Any] = list(ask(router, "sums", [[1, 2, 3], {"x": [0, 0, 1]}]))
    assert found == [[6.0], [1.0]]
    call = prediction(router, "sums", b'{"instances": [[1, 2, 3]]}')
    assert computed(router, [call])[0]["model_version"] == "1"


def test_a_canary_gets_its_share_and_each_answer_names_its_version(tmp_path: Path) -> None:
    router = app.Router(served(tmp_path, canary={"version": "2", "share": "25"}))
    calls = [prediction(router, "sums", b'{"instances": [[1, 1, 1]]}') for _ in range(2000)]
    answers = [(a["model_version"], a["predictions"]) for a in computed(router, calls)]
    assert dict(answers) == {"1": [[3.0]], "2": [[6.0]]}
    # Of 2000 requests 500; five standard deviations are 97.
    assert abs(sum(v == "2" for v, _ in answers) - 500) < 97


def test_the_list_shows_signature_version_and_canary(tmp_path: Path) -> None:
    router = app.Router(served(tmp_path, canary={"version": "2", "share": "25"}))
    (row,) = router.overview()["models"]
    assert (row["workload"], row["version"], row["canary"]["version"]) == ("sums", "1", "2")
    assert row["signature"]["inputs"] == [{"name": "x", "dtype": "float32", "shape": [3]}]
    with pytest.raises(RequestError, match="serving sums"):
        router.route("POST", "/v1/models/sums@canary:predict", b"{}")


@pytest.mark.parametrize(
    ("body", "field", "expected", "got"),
    [
        ('{"instances": [{}]}', "instances[0].x", "float32[3]", "nothing: the field is missing"),
        ('{"instances": [{"x": [1, 2, 3], "y": 1}]}', "instances[0].y", "only x", "a field that the model"),
        ('{"instances": [[1, 2, 3], [1, 2]]}', "instances[1]", "a list of 3 (float32[3])", "a list of 2"),
        ('{"instances": [{"x": [1, "2", 3]}]}', "instances[0].x[1]", "float32", "the text '2'"),
        ('{"instances": [[1, true, 3]]}', "instances[0][1]", "float32", "a bool"),
        ('{"instances": [[1, 2, NaN]]}', "instances[0][2]", "a finite float32", "nan"),
        ('{"instances": [[1, 2, 1e39]]}', "instances[0][2]", "a finite float32", "1e+39"),
        ('{"instances": [[1, 2, null]]}', "instances[0][2]", "float32", "null"),
        ('{"instances": "x"}', "instances", "a non-empty list", "the text 'x'"),
        ('{"inputs": [[1, 2, 3]]}', "instances", "a non-empty list", "nothing: the field is missing"),
        ('{"instances": [[1, 2, 3]], "more": 1}', "more", "only instances", "a field that no request has"),
    ],
)
def test_input_that_does_not_fit_the_signature_is_refused_by_field(
    tmp_path: Path, body: str, field: str, expected: str, got: str
) -> None:
    router = app.Router(served(tmp_path))
    with pytest.raises(RequestError) as caught:
        router.route("POST", "/v1/models/sums:predict", body.encode())
    wrong = caught.value.wrong
    assert caught.value.status == 400
    assert wrong is not None
    assert (wrong.field, wrong.expected) == (field, expected)
    assert wrong.got.startswith(got)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([{"name": "x", "type": "double"}], "is a column, not a tensor"),
        (
            [{**own_model.X, "tensor-spec": {"dtype": "float32", "shape": [2, 3]}}],
            "first dimension must be -1",
        ),
        (
            [{**own_model.X, "tensor-spec": {"dtype": "float32", "shape": [-1, -1]}}],
            "only the first dimension",
        ),
        (
            [{**own_model.X, "tensor-spec": {"dtype": "complex64", "shape": [-1, 3]}}],
            "dtype complex64: cannot be served",
        ),
        ([own_model.X, own_model.COUNT], "does not answer one instance and several"),
        ([], "signature.inputs: there are none"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused_with_a_fix(tmp_path: Path, inputs: Any, words: str) -> None:
    with pytest.raises(BenchmarkError, match=words):
        admit(DirectoryStore(tmp_path), "sums", "1", own_model.folder(tmp_path / "m", inputs=inputs))


def test_a_model_that_answers_one_row_only_is_refused(tmp_path: Path) -> None:
    folder = own_model.folder(tmp_path / "m", own_model.exported(rows=1))
    with pytest.raises(BenchmarkError, match="input_example of two or more"):
        admit(DirectoryStore(tmp_path), "sums", "1", folder)


def test_a_pickled_model_is_refused(tmp_path: Path) -> None:
    folder = own_model.folder(tmp_path / "m")
    (folder / "data" / "model.pt2").rename(folder / "data" / "model.pth")
    with pytest.raises(BenchmarkError, match="pickled models are not served"):
        admit(DirectoryStore(tmp_path), "sums", "1", folder)


def test_the_card_says_what_a_replica_needs(tmp_path: Path) -> None:
    card = admit(DirectoryStore(tmp_path), "sums", "1", own_model.folder(tmp_path / "m"))
    assert json.loads((tmp_path / card["key"]).with_name("model.json").read_text()) == json.loads(
        json.dumps(card)
    )
    assert card["model"]["seconds"] > 0


class Artefacts:
    """Stands for MLflow on the node: what it lists, and what comes then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: dict[str, tuple[int | None, int]]) -> None:
        self.files, self.fetched = files, []  # type: tuple[dict[str, tuple[int | None, int]], list[str]]
        self.source = self.place = "models:/m-1"
        client = SimpleNamespace(
            get_model_version=lambda *_: SimpleNamespace(source=self.source),
            get_model_version_download_uri=lambda *_: self.place,
        )
        modules: dict[str, dict[str, Any]] = {
            "mlflow": {"MlflowClient": lambda: client},
            "mlflow.artifacts": {"download_artifacts": self.download, "list_artifacts": self.list},
            "mlflow.exceptions": {"MlflowException": ValueError},
        }
        for name, more in modules.items():
            module = ModuleType(name)
            vars(module).update(more)
            monkeypatch.setitem(sys.modules, name, module)

    def list(self, at: str) -> list[Any]:
        inside = at.removeprefix("models:/slope/1").strip("/")
        return [
            SimpleNamespace(path=path, file_size=size, is_dir=size is None)
            for path, (size, _) in self.files.items()
            if path.rstrip("/").rpartition("/")[0] == inside
        ]

    def download(self, artifact_uri: str, dst_path: str) -> None:
        path = artifact_uri.removeprefix("models:/slope/1/")
        self.fetched.append(path)
        target = Path(dst_path, path)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(bytes(self.files[path][1]))


def test_only_the_two_files_that_are_read_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Artefacts(monkeypatch, {"MLmodel": (5, 5), "data/model.pt2": (9, 9), "data/more/x": (1 << 40, 1)})
    assert admitting.download("slope", "1", tmp_path) == tmp_path
    assert found.fetched == ["MLmodel", "data/model.pt2"]
    assert (tmp_path / "data" / "model.pt2").stat().st_size == 9


@pytest.mark.parametrize("path", ["MLmodel", "data/model.pt2"])
@pytest.mark.parametrize("extra", [{"size": (1 << 30) + 1}, {"size": None}])
def test_a_file_that_is_too_large_or_a_folder_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, extra: dict[str, int | None]
) -> None:
    found = Artefacts(monkeypatch, {"MLmodel": (5, 5), "data/model.pt2": (9, 9), path: (extra["size"], 1)})
    with pytest.raises(CheckpointError, match=rf"{path}: (is not one file|\d+ bytes, at most)"):
        admitting.download("slope", "1", tmp_path)
    assert path not in found.fetched


def test_a_file_that_is_larger_than_listed_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Artefacts(monkeypatch, {"MLmodel": (5, 2 << 20)})
    with pytest.raises(BenchmarkError, match=r"cannot be fetched: .*too large"):
        admitting.download("slope", "1", tmp_path)
    assert (tmp_path / "MLmodel").stat().st_size <= 1 << 20


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc", "/etc", "s3://models/x", "http://h/x", "mlflow-artifacts://h/x", "models://h/x", "",
        "ftp://h", "dbfs:/x", "MODELS:/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("which", ["source", "place"])
def test_files_outside_mlflow_are_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, which: str
) -> None:
    found = Artefacts(monkeypatch, {"MLmodel": (5, 5)})
    setattr(found, which, place)
    with pytest.raises(CheckpointError, match="is not in MLflow"):
        admitting.download("slope", "1", tmp_path)
    assert not found.fetched


@pytest.mark.parametrize(
    "place", ["models:/m-1", "runs:/r/model", "mlflow-artifacts:/1/models/m-1/artifacts"]
)
def test_files_in_mlflow_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    found = Artefacts(monkeypatch, {"MLmodel": (5, 5)})
    found.source = found.place = place
    admitting.download("slope", "1", tmp_path)
    assert found.fetched == ["MLmodel"]
