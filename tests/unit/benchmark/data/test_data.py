"""Data: reproducible, free of leakage, checked by hash on every read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.core.config import WORKLOADS_DIR, DigitsData, GaussianData, SourceCodeData, Workload, load
from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import DataError, StoreError
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset, stages, stdlib
from benchmark.data.batches import Batches


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library: sixty modules, a copy of one, a test, an empty file and one that is not text."""
    root = tmp_path / "library"
    (root / "test").mkdir(parents=True)
    for i in range(60):
        (root / f"module_{i:02d}.py").write_text(f"value = {i}\r\n" * (i + 1))
    (root / "copy.py").write_bytes((root / "module_07.py").read_bytes())
    (root / "empty.py").write_text("\n")
    (root / "binary.py").write_bytes(b"\xff\xfe\x00")
    (root / "test" / "test_it.py").write_text("assert True\n")
    return root


@pytest.fixture
def frozen(library: Path, tmp_path: Path) -> stdlib.SourceCode:
    config = SourceCodeData(source="stdlib", files="list.tsv", heldout_per_mille=200)
    path = tmp_path / "list.tsv"
    path.write_text(stdlib.freeze(config, library))
    source = stdlib.SourceCode(config, root=library)
    source.list_path = path
    return source


@pytest.mark.parametrize("config", [GaussianData(source="gaussians", train=500, heldout=300, seed=5),
                                    DigitsData(source="digits", augment_shift=1)])  # fmt: skip
def test_no_sample_is_on_both_sides(config: GaussianData | DigitsData) -> None:
    pipeline = stages.run(config)
    train = {row.tobytes() for row in pipeline.train.arrays["x"]}
    assert not train & {row.tobytes() for row in pipeline.heldout.arrays["x"]}


def test_the_same_description_gives_the_same_data() -> None:
    config = GaussianData(source="gaussians", train=500, heldout=300, seed=5)
    assert stages.run(config).train.digest() == stages.run(config).train.digest()


def test_stages_run_in_order_with_checksums() -> None:
    rows = stages.run(GaussianData(source="gaussians", train=50, heldout=30)).stages
    assert [row["stage"] for row in rows] == ["collect", "clean", "normalise", "split", "augment"]
    assert all(len(row["sha256"]) == 64 for row in rows)


def test_digits_hold_out_360_stratified() -> None:
    heldout = stages.run(DigitsData(source="digits")).heldout.arrays["y"]
    assert len(heldout) == 360
    assert np.bincount(heldout).min() >= 34


def test_augmentation_touches_the_training_part_only() -> None:
    plain, shifted = (stages.run(DigitsData(source="digits", augment_shift=s)) for s in (0, 1))
    assert len(shifted.train) == 5 * len(plain.train)
    assert shifted.heldout.digest() == plain.heldout.digest()


def test_gaussian_classes_are_the_sign_of_the_product() -> None:
    train = stages.run(GaussianData(source="gaussians", train=20_000, heldout=10)).train.arrays
    x: NDArray[Any] = train["x"]
    right = (x[:, 0] * x[:, 1] > 0) == (train["y"] == 1)
    assert right.mean() == pytest.approx(0.9555, abs=0.006)


def test_source_code_leaves_out_tests_copies_and_what_is_not_text(frozen: stdlib.SourceCode) -> None:
    names = frozen.clean(frozen.collect()).names
    assert len(names) == 60
    assert not {"empty.py", "binary.py", "test/test_it.py"} & set(names)


def test_source_files_fall_on_one_side_whatever_their_name(frozen: stdlib.SourceCode) -> None:
    train, heldout = frozen.split(frozen.normalise(frozen.clean(frozen.collect())))
    sides = [set(bytes(part.arrays["bytes"]).split(b"\f")) for part in (train, heldout)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert b"\r" not in bytes(train.arrays["bytes"])


def test_a_changed_library_is_an_error_that_names_files(frozen: stdlib.SourceCode, library: Path) -> None:
    (library / "module_59.py").write_text("changed = True\n")
    (library / "module_58.py").unlink()
    with pytest.raises(DataError, match=r"module_58.py \(missing\), module_59.py \(differs\)"):
        frozen.collect()


def test_a_small_difference_is_recorded(frozen: stdlib.SourceCode, library: Path) -> None:
    (library / "module_01.py").write_text("changed = True\n")
    frozen.collect()
    assert frozen.provenance()["mismatch"]["files"] == ["module_01.py (differs)"]
    assert 0 < frozen.provenance()["mismatch"]["bytes_fraction"] < 0.02


def test_an_edited_list_is_refused(frozen: stdlib.SourceCode) -> None:
    frozen.list_path.write_text(frozen.list_path.read_text().replace("train", "heldout", 1))
    with pytest.raises(DataError, match="line 2"):
        frozen.collect()


def test_the_list_that_comes_along_is_whole() -> None:
    workload = load(WORKLOADS_DIR / "bytelm.yaml", "ci")
    assert isinstance(workload.data, SourceCodeData)
    entries = stdlib.read_list(WORKLOADS_DIR / workload.data.files)
    assert 8e6 < sum(e.size for e in entries) < 12e6
    assert not [e.path for e in entries if "/test/" in f"/{e.path}" or "/tests/" in f"/{e.path}"]


def test_prepared_data_read_back_equal(tiny: Workload, store: DirectoryStore) -> None:
    manifest = dataset.prepare(tiny, store)
    tensors = dataset.load(manifest, store, "train")
    assert np.array_equal(tensors["x"].numpy(), stages.run(tiny.data).train.arrays["x"])


def test_data_are_prepared_once(tiny: Workload, store: DirectoryStore) -> None:
    first, second = dataset.prepare(tiny, store), dataset.prepare(tiny, store)
    assert (first["reused"], second["reused"]) == (False, True)
    assert first["sha256"] == second["sha256"]


def test_large_data_are_cut_into_shards(
    tiny: Workload, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SHARD_BYTES", 50_000)
    manifest = dataset.prepare(tiny, store)
    assert len(manifest["splits"]["train"]["shards"]) == 4
    assert len(dataset.load(manifest, store, "train")["y"]) == 4096


def test_a_corrupt_shard_is_named(tiny: Workload, store: DirectoryStore) -> None:
    manifest = dataset.prepare(tiny, store)
    key = manifest["splits"]["train"]["shards"][0]["key"]
    data = bytearray(store.get(key))
    data[-1] ^= 1
    store.put(key, bytes(data))
    with pytest.raises(DataError, match=f"{key}: shard is corrupt"):
        dataset.load(manifest, store, "train")


def test_a_missing_shard_is_named(tiny: Workload, store: DirectoryStore) -> None:
    manifest = dataset.prepare(tiny, store)
    key = manifest["splits"]["heldout"]["shards"][0]["key"]
    store.delete(key)
    with pytest.raises(StoreError, match=f"{key}: no such object"):
        dataset.load(manifest, store, "heldout")


def test_a_manifest_of_another_schema_is_refused(tiny: Workload, store: DirectoryStore) -> None:
    prefix = dataset.prepare(tiny, store)["prefix"]
    put_json(store, f"{prefix}/manifest.json", {**get_json(store, f"{prefix}/manifest.json"), "schema": "x"})
    with pytest.raises(DataError, match="schema"):
        dataset.prepare(tiny, store)


def test_an_epoch_shows_every_sample_once_over_all_ranks() -> None:
    data = {"x": torch.arange(64).float()[:, None], "y": torch.arange(64)}
    ranks = [Batches(data, 16, None, seed=1, rank=r, world_size=2) for r in (0, 1)]
    seen = [int(y) for step in range(4) for rank in ranks for y in rank.at(step)[1]]
    assert sorted(seen) == list(range(64))


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 16])
def test_any_number_of_ranks_shares_a_batch(ranks: int) -> None:
    data = {"x": torch.arange(64).float()[:, None], "y": torch.arange(64)}
    shares = [Batches(data, 16, None, seed=1, rank=r, world_size=ranks) for r in range(ranks)]
    whole = Batches(data, 16, None, seed=1, rank=0, world_size=1)
    assert torch.equal(torch.cat([share.at(2)[0] for share in shares]), whole.at(2)[0])
    # The mean over ranks of their weighted means is the mean of the whole batch.
    means = [share.weight * float(share.at(2)[0].mean()) for share in shares]
    assert sum(means) / ranks == pytest.approx(float(whole.at(2)[0].mean()))


def test_batches_depend_on_seed_and_step_only() -> None:
    data = {"bytes": torch.arange(200, dtype=torch.uint8)}
    one, same, other = (Batches(data, 4, 8, seed=s, rank=0, world_size=1) for s in (1, 1, 2))
    assert torch.equal(one.at(3)[0], same.at(3)[0])
    assert not torch.equal(one.at(3)[0], other.at(3)[0])


def test_targets_are_the_next_bytes() -> None:
    batch = Batches({"bytes": torch.arange(200, dtype=torch.uint8)}, 4, 8, seed=1, rank=0, world_size=1)
    x, y = batch.at(0)
    assert torch.equal(x + 1, y)
