"""Custom data sets: the documented example trains to its target, and whatever does not fit is reported."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import benchmark.data
from benchmark.core.config import ModuleData, Workload, load
from benchmark.core.documents import get_json
from benchmark.core.errors import ConfigError, DataError
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset, stages
from benchmark.training import job
from benchmark.training.spec import Spec

DOCUMENT = Path(__file__).parents[4] / "docs" / "workloads.md"
COLLECT = """
import numpy as np
from benchmark.data.records import Records
from benchmark.data.sources import Table

class Data(Table):
    def collect(self):
        rng = np.random.default_rng(1)
        x = rng.standard_normal((60, 4)).astype(np.float32)
        y = (np.arange(60) % 3).astype(np.int64)
        CHANGE
        return Records({"x": x, "y": y})
"""
Module = Callable[[str], ModuleData]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules are found as if they were in benchmark/data; nothing is cached after it."""
    monkeypatch.setattr(benchmark.data, "__path__", [*benchmark.data.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in [n for n in sys.modules if n.startswith("benchmark.data.") and n not in before]:
        del sys.modules[name]


@pytest.fixture
def module(folder: Path) -> Module:
    """A table with this change before it is returned."""

    def write(change: str) -> ModuleData:
        (folder / "own_table.py").write_text(COLLECT.replace("CHANGE", change))
        return ModuleData(source="module", module="own_table", inputs=4, outputs=3)

    return write


@pytest.fixture
def example(folder: Path) -> Workload:
    """The documented workload, from the document's own text."""
    blocks = dict(re.findall(r"^```(yaml|python)\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE))
    (folder / "wine.py").write_text(blocks["python"])
    (folder / "wine.yaml").write_text(blocks["yaml"])
    return load(folder / "wine.yaml", "smoke")


def test_the_documented_example_reaches_its_target(example: Workload, store: DirectoryStore) -> None:
    spec = Spec(run_id="r", workload=example, store=str(store.root))
    job.run(spec, RankContext())
    record = get_json(store, f"{spec.prefix}/seed-1.json")
    assert record["quality"]["passed"]
    manifest = get_json(store, f"{spec.prefix}/manifest.json")
    assert manifest["splits"]["heldout"]["rows"] == 36
    assert [b["name"] for b in manifest["baselines"]] == [
        "majority",
        "logistic regression",
        "1-nearest neighbour",
    ]


def test_another_text_of_the_module_is_another_data_set(module: Module, tiny: Workload, folder: Path) -> None:
    workload = tiny.model_copy(update={"data": module("")})
    before = dataset.location(workload)
    module("x = x + 1")
    assert dataset.location(workload) != before


def test_a_table_is_cleaned_and_split_by_class(module: Module) -> None:
    found = stages.run(module("x[3] = np.nan; x[7] = x[8]"))
    assert [row["records"] for row in found.stages] == [60, 58, 58, 58, 58]
    assert len(found.heldout) == 11


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("x = x[:, :3]", "x is float32 (48, 3): must be float32 (n, 4): data.inputs"),
        ("x = x.astype(np.float64)", "x is float64"),
        ("y = y + 1", "y: must be classes 0 to 2"),
        ("y = y.astype(np.int32)", "y is int32"),
        ("raise KeyError('price')", "stage collect: KeyError: 'price'"),
        ("return Records({'x': x, 'y': y, 'z': y})", "arrays x, y, z: must be x and y"),
    ],
)
def test_what_does_not_fit_is_named(module: Module, change: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        stages.run(module(change))
    assert message in str(caught.value)


def test_leakage_is_refused(module: Module, folder: Path) -> None:
    config = module("")
    text = (folder / "own_table.py").read_text()
    leak = """
    def split(self, records):
        train, heldout = super().split(records)
        return train, train
"""
    (folder / "own_table.py").write_text(text + leak)
    with pytest.raises(DataError, match="48 samples are in both train and heldout: that is leakage"):
        stages.run(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "benchmark/data/own_table.py: not here"),
        ("import no_such_package", r"not what it imports \(no_such_package\)"),
        ("", "cannot be used: AttributeError"),
        ("def (", "cannot be used: SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_used_is_named(folder: Path, text: str | None, message: str) -> None:
    if text is not None:
        (folder / "own_table.py").write_text(text)
    with pytest.raises(DataError, match=message):
        stages.run(ModuleData(source="module", module="own_table", inputs=4, outputs=3))


def test_a_model_must_fit_the_declared_table(example: Workload, folder: Path) -> None:
    text = (
        (folder / "wine.yaml")
        .read_text()
        .replace(
            "data: {source: module, module: wine, inputs: 13",
            "data: {source: module, module: wine, inputs: 12",
        )
    )
    (folder / "wine.yaml").write_text(text)
    with pytest.raises(ConfigError, match="must be 12 and 3 for this data"):
        load(folder / "wine.yaml", "smoke")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("y[:] = 0", "train: y: has only class 0"),
        ("Data.normalise = lambda s, r: Records({**r.arrays, 'x': r.arrays['x'] * np.float32('inf')})",
         "x is not finite after normalise"),
        ("Data.provenance = lambda s: 1 / 0", "stage provenance: ZeroDivisionError"),
    ],
)  # fmt: skip
def test_data_that_nothing_can_be_learnt_from_are_refused_before_they_are_written(
    module: Module, tiny: Workload, store: DirectoryStore, change: str, words: str
) -> None:
    workload = tiny.model_copy(update={"data": module(change)})
    with pytest.raises(DataError, match=words):
        dataset.prepare(workload, store)
    assert store.list("datasets/") == []
