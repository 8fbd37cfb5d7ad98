"""Bad input stops a run with an error that names file and field; what was measured before is kept.

The stack is played by this process: a job runs here, in a directory instead of the object store.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.checkpoints import checkpoint
from benchmark.cluster import launch
from benchmark.cluster import stack as stacks
from benchmark.core.config import WORKLOADS_DIR, Workload, load
from benchmark.core.documents import put_json
from benchmark.core.errors import StackError, StoreError
from benchmark.core.store import DirectoryStore, S3Store
from benchmark.data import dataset
from benchmark.experiments import run
from benchmark.model import evaluate
from benchmark.training import job, train
from benchmark.training.spec import Spec
from tests.unit.benchmark.conftest import changed
from tests.unit.benchmark.fakes import FakeStack, in_this_process

RUN_ID = "20260101-000000"
Fault = Callable[[DirectoryStore, Workload], None]


@pytest.fixture
def bench(
    tmp_path: Path, testdata: Path, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run the benchmark on three seeds with a fault planted first; its result as read back."""

    monkeypatch.setattr(launch, "in_stack", in_this_process)
    monkeypatch.setattr(stacks, "read", lambda *_: FakeStack(store))
    monkeypatch.setattr(results, "new_run_id", lambda prefix="": RUN_ID)

    def go(fault: Fault | None = None, files: list[Path] | None = None, **more: Any) -> dict[str, Any]:
        path = testdata / "valid-workload.yaml"
        if fault:
            fault(store, load(path, "ci"))
        seen = len(runs.folders(tmp_path / "out"))
        options = run.Options("fake", "ci", files or [path], tmp_path / "out", **more)
        code = run.main(options)
        folders = runs.folders(tmp_path / "out")
        if len(folders) == seen:
            return {"code": code, "folders": folders}
        return {**results.load(folders[0] / "result.json"), "code": code, "folders": folders}

    return go


Bench = Callable[..., dict[str, Any]]


def messages(result: dict[str, Any]) -> str:
    return "\n".join(f"{e['where']}: {e['message']}" for e in result["errors"])


def test_without_a_fault_only_serving_is_missing(bench: Bench) -> None:
    result = bench()
    assert [r["seed"] for r in result["training"]] == [1, 2, 3]
    assert messages(result).splitlines() == ["run: no serving here"]


def stopped(result: dict[str, Any], pattern: str) -> None:
    """Incomplete, exit 1, the error as expected, and a report that tells it."""
    assert result["complete"] is False
    assert result["code"] == 1
    assert pattern in messages(result)


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_no_number_keeps_the_seeds_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    right, calls = evaluate.loss, {"n": 0}

    def poisoned(workload: Workload, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        calls["n"] += 1
        return right(workload, logits, y) + (float(value) if calls["n"] == 80 + 40 else 0.0)

    monkeypatch.setattr(train, "loss_of", poisoned)
    monkeypatch.setenv("CXX", "no-such-compiler")  # a trial of compiling would call it too
    result = bench()
    stopped(
        result,
        f"tiny/seed-2: loss is {value} at step 40 of 80: training diverged. Lower optimiser.learning_rate",
    )
    assert [r["seed"] for r in result["training"]] == [1]
    assert (result["code"], result["verdicts"][0]["verdict"]) == (1, "inconclusive")


def a_shard(store: DirectoryStore, workload: Workload) -> str:
    key: str = dataset.prepare(workload, store)["splits"]["train"]["shards"][0]["key"]
    return key


def without_a_shard(store: DirectoryStore, workload: Workload) -> None:
    store.delete(a_shard(store, workload))


def with_a_changed_shard(store: DirectoryStore, workload: Workload) -> None:
    key = a_shard(store, workload)
    store.put(key, store.get(key)[:-1] + b"\0")


def with_a_wrong_hash(store: DirectoryStore, workload: Workload) -> None:
    manifest = dataset.prepare(workload, store)
    manifest["splits"]["train"]["shards"][0]["sha256"] = "0" * 64
    put_json(store, f"{manifest['prefix']}/manifest.json", manifest)


def with_a_manifest_that_is_cut(store: DirectoryStore, workload: Workload) -> None:
    key = f"{dataset.prepare(workload, store)['prefix']}/manifest.json"
    store.put(key, store.get(key)[:100])


def with_a_manifest_without_shards(store: DirectoryStore, workload: Workload) -> None:
    manifest = dataset.prepare(workload, store)
    del manifest["splits"]["train"]["shards"]
    put_json(store, f"{manifest['prefix']}/manifest.json", manifest)


def with_a_changed_checkpoint(store: DirectoryStore, workload: Workload) -> None:
    pointer = checkpoint.save(store, f"checkpoints/{RUN_ID}/tiny/seed-2", 20, {"step": 20})
    store.put(pointer["key"], store.get(pointer["key"])[:-1])


def without_a_checkpoint(store: DirectoryStore, workload: Workload) -> None:
    store.delete(checkpoint.save(store, f"checkpoints/{RUN_ID}/tiny/seed-2", 20, {"step": 20})["key"])


def with_a_checkpoint_of_another_shape(store: DirectoryStore, workload: Workload) -> None:
    checkpoint.save(store, f"checkpoints/{RUN_ID}/tiny/seed-2", 20, {"step": 20})


def with_a_checkpoint_pointer_that_is_no_mapping(store: DirectoryStore, workload: Workload) -> None:
    put_json(store, f"checkpoints/{RUN_ID}/tiny/seed-2/latest.json", ["step"])


@pytest.mark.parametrize(
    ("fault", "pattern", "kept"),
    [
        (without_a_shard, "train-0000.safetensors: no such object in directory", []),
        (with_a_changed_shard, "train-0000.safetensors: shard is corrupt: sha256 is", []),
        (with_a_wrong_hash, "the manifest says 0000000000000000…", []),
        (with_a_manifest_that_is_cut, "/manifest.json: is not JSON", []),
        (with_a_manifest_without_shards, "/manifest.json: splits.train.shards: missing", []),
        (with_a_changed_checkpoint, "seed-2/step-00000020.pt: sha256: expected", [1]),
        (without_a_checkpoint, "seed-2/step-00000020.pt: no such object in directory", [1]),
        (with_a_checkpoint_of_another_shape, "seed-2: does not fit the model of this workload: 'model'", [1]),
        (with_a_checkpoint_pointer_that_is_no_mapping, "seed-2/latest.json: is not a mapping", [1]),
    ],
)
def test_what_the_store_holds_wrong_is_named(
    bench: Bench, fault: Fault, pattern: str, kept: list[int]
) -> None:
    result = bench(fault)
    stopped(result, pattern)
    assert [r["seed"] for r in result["training"]] == kept


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("a file where a directory is needed")
    with pytest.raises(StoreError, match=r"file/models/x.*: cannot be written: "):
        DirectoryStore(root).put("models/x/y", b"")


def test_a_store_that_breaks_off_keeps_the_seeds_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = DirectoryStore.put

    def put(self: DirectoryStore, key: str, data: bytes) -> None:
        if "seed-2/step-" in key:
            raise StoreError(f"{key}: object store https://s3 cannot be reached (put_object)")
        right(self, key, data)

    monkeypatch.setattr(DirectoryStore, "put", put)
    result = bench()
    stopped(result, "tiny/seed-2/step-00000020.pt: object store https://s3 cannot be reached (put_object)")
    assert [r["seed"] for r in result["training"]] == [1]


def test_an_unreachable_store_is_named_with_key_and_address() -> None:
    store = S3Store("http://127.0.0.1:9", "a", "b")
    with pytest.raises(StoreError, match=r"datasets/x: object store http://127\.0\.0\.1:9 cannot be reached"):
        store.get("datasets/x")


def test_a_workload_file_with_errors_is_bad_input(
    bench: Bench, testdata: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(files=[testdata / "invalid-workload.yaml"]) == {"code": 2, "folders": []}
    assert "invalid-workload.yaml: data.train: " in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_an_absent_gpu_is_bad_input_for_a_job(
    tiny: Workload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = Spec(run_id="r", workload=changed(tiny, training={"device": "cuda"}), store=str(tmp_path / "s"))
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    assert job.main([str(tmp_path / "spec.json")]) == 1
    assert "training.device: cuda: PyTorch sees no GPU here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "field"), [("{", "cannot be read as JSON"), ('{"run_id": "r"}', "workload: Field required")]
)
def test_a_broken_job_description_is_an_error_without_traceback(
    tmp_path: Path, text: str, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.json"
    path.write_text(text)
    assert job.main([str(path)]) == 2
    assert f"{path}: {field}" in capsys.readouterr().err


def test_a_gate_file_that_cannot_be_used_stops_before_training(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(gate=tmp_path / "absent.json") == {"code": 2, "folders": []}
    told = capsys.readouterr().err
    assert "gate: " in told
    assert "absent.json: cannot be read" in told


def test_a_gate_on_other_workloads_stops_before_training(
    bench: Bench, testdata: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(gate=testdata / "result-complete.json") == {"code": 2, "folders": []}
    told = capsys.readouterr().err
    assert "tier: smoke in the baseline, ci in the candidate" in told
    assert "configuration.workloads.tiny: is not in the baseline" in told


def test_all_mistakes_are_told_before_the_stack_is_asked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stacks, "read", lambda *_: pytest.fail("the stack was asked"))
    (tmp_path / "out").write_text("a file")
    result = bench(files=[WORKLOADS_DIR / "mpl.yaml"], gate=tmp_path / "absent.json", max_replicas=1)
    assert result["code"] == 2
    told = capsys.readouterr().err
    for words in (
        "did you mean 'mlp'?",
        "absent.json: cannot be read",
        "--max-replicas: 1",
        "is a file; give a",
    ):
        assert words in told


@pytest.mark.parametrize("fault", ["workload", "gate", "out", "stack"])
def test_no_mistake_touches_an_earlier_result(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "serve_all", lambda **_: None)
        assert bench()["complete"]
    before = everything(tmp_path / "out")
    more: dict[str, Any] = {}
    if fault == "workload":
        more["files"] = [WORKLOADS_DIR / "mpl.yaml"]
    elif fault == "gate":
        more["gate"] = tmp_path / "absent.json"
    elif fault == "out":
        more["max_replicas"] = 99
    else:
        monkeypatch.setattr(stacks, "read", refuse)
    assert bench(**more)["code"] in (1, 2)
    assert everything(tmp_path / "out") == before


def refuse(*_: Any) -> Any:
    raise StackError("stack fake: no output 'inventory'")


def everything(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()}


def test_a_run_that_fails_leaves_the_newest_complete_result_in_its_place(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "serve_all", lambda **_: None)
        first = bench()
    report = (tmp_path / "out" / "report.html").read_text()
    second = bench()  # this time serving fails
    assert not second["complete"]
    assert results.load(tmp_path / "out" / "result.json")["run_id"] == first["run_id"] != second["run_id"]
    assert (tmp_path / "out" / "report.html").read_text() == report
    assert (second["folders"][0] / "report.html").exists()
    told = capsys.readouterr().err
    assert f"incomplete: {second['folders'][0] / 'result.json'}" in told
    assert "result.json still holds the result of an earlier run" in told


def test_an_interrupted_run_keeps_what_was_finished_in_its_own_folder(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "serve_all", interrupted)
    result = bench()
    assert (result["code"], result["complete"]) == (130, False)
    assert [r["seed"] for r in result["training"]] == [1, 2, 3]
    assert (result["folders"][0] / "report.html").exists()
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_run_is_compared_with_the_result_that_it_replaces(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "serve_all", lambda **_: None)
    assert bench()["complete"]
    result = bench(gate=tmp_path / "out" / "result.json")
    assert result["code"] == 0
    assert {row["verdict"] for row in result["gate"]["rows"]} <= {"pass", "inconclusive"}
    assert "<h2>Verdicts</h2>" in (result["folders"][0] / "comparison.html").read_text()


def test_an_incomplete_run_is_not_compared(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "serve_all", lambda **_: None)
        bench()
    result = bench(gate=tmp_path / "out" / "result.json")  # this time serving fails
    assert (result["code"], result["complete"]) == (1, False)
    assert "gate" not in result
    assert "gate: not compared, because the run is incomplete" in capsys.readouterr().err
