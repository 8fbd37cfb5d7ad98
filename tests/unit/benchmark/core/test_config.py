"""Workload files: the ones that come along are right, wrong ones are explained completely."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.config import TIERS, WORKLOADS_DIR, load, load_all
from benchmark.core.errors import ConfigError


@pytest.mark.parametrize("tier", TIERS)
def test_every_workload_has_every_tier(tier: str) -> None:
    names = [w.name for w in load_all(sorted(WORKLOADS_DIR.glob("*.yaml")), tier)]
    assert names == ["bytelm", "digits", "mlp"]


def test_targets_of_continuous_integration() -> None:
    targets = {w.name: w.target.value for w in load_all(sorted(WORKLOADS_DIR.glob("*.yaml")), "ci")}
    assert targets == {"mlp": 0.950, "digits": 0.95, "bytelm": 2.6}


def test_release_has_ten_seeds() -> None:
    assert {len(w.seeds) for w in load_all(sorted(WORKLOADS_DIR.glob("*.yaml")), "release")} == {10}


def test_a_tier_changes_only_what_it_names(testdata: Path) -> None:
    smoke, ci = (load(testdata / "valid-workload.yaml", tier) for tier in ("smoke", "ci"))
    assert (smoke.training.steps, ci.training.steps) == (60, 80)
    assert smoke.training.batch_size == ci.training.batch_size


def test_all_errors_at_once_with_file_and_field(testdata: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(testdata / "invalid-workload.yaml", "smoke")
    fields = {line.split(": ")[1] for line in caught.value.problems}
    assert fields == {
        "name",
        "data.train",
        "optimiser.lerning_rate",
        "tiers.smoke.training.batch_size",
        "tiers.huge",
    }
    assert all("invalid-workload.yaml" in line for line in caught.value.problems)


def test_parts_that_do_not_fit_are_all_named(testdata: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(testdata / "invalid-workload-parts.yaml", "smoke")
    for field in ("model.inputs", "target.metric", "seeds"):
        assert field in str(caught.value)


def test_errors_of_several_files_come_together(testdata: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_all([testdata / "invalid-workload.yaml", testdata / "absent.yaml"], "smoke")
    assert any("absent.yaml: cannot be read" in line for line in caught.value.problems)
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize(("text", "message"), [("a: [1", "line"), ("- a", "mapping"), ("a: 1", "tiers")])
def test_files_that_are_no_workload(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(path, "smoke")


def test_a_missing_tier_names_those_that_exist(testdata: Path) -> None:
    with pytest.raises(ConfigError, match="smoke, ci"):
        load(testdata / "valid-workload.yaml", "release")
