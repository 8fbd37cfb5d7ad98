"""Training on the host: what was finished is kept, whatever ends the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.cluster import launch
from benchmark.core.store import DirectoryStore
from benchmark.experiments import host_baseline
from benchmark.training.spec import Spec
from tests.unit.benchmark.conftest import TESTDATA
from tests.unit.benchmark.fakes import in_this_process


@pytest.mark.parametrize(
    ("end", "code", "where"),
    [
        (None, 0, []),
        ("torchrun ended with 1", 1, ["host baseline tiny"]),
        (KeyboardInterrupt, 130, ["host baseline"]),
    ],
)
def test_finished_seeds_are_kept(
    end: Any, code: int, where: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_host(spec: Spec, on_message: object) -> str | None:
        first = spec.model_copy(update={"workload": spec.workload.model_copy(update={"seeds": [1]})})
        in_this_process(first, None, DirectoryStore(Path(spec.store)), on_message)
        if end is KeyboardInterrupt:
            raise KeyboardInterrupt
        return end  # type: ignore[no-any-return]

    monkeypatch.setattr(launch, "on_host", on_host)
    files = [TESTDATA / "valid-workload.yaml"]
    options = host_baseline.Options("none", "ci", files, tmp_path, world_size=1, no_stack=True)
    assert host_baseline.main(options) == code
    (folder,) = runs.folders(tmp_path)
    found = results.load(folder / "result.json")
    assert found["complete"] == (tmp_path / "result.json").exists() == (code == 0)
    assert [run["seed"] for run in found["bare"]] == [1]
    assert [error["where"] for error in found["errors"]] == where
