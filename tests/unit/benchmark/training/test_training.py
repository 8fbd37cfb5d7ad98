"""Training: it learns, repeats itself, resumes exactly and fails clearly."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors

from benchmark.checkpoints import checkpoint
from benchmark.core import ranks
from benchmark.core.config import GptConfig, MlpConfig, OptimiserConfig, Workload
from benchmark.core.errors import BenchmarkError, CheckpointError, DeviceError, TrainingError
from benchmark.core.events import EventLog, check
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.core.timing import PHASES, StepTimer
from benchmark.data import dataset
from benchmark.model import models
from benchmark.model.optimiser import learning_rate_factor, orthogonalise
from benchmark.training import job
from benchmark.training.spec import Spec
from benchmark.training.train import train
from tests.unit.benchmark.conftest import changed


def run(workload: Workload, store: DirectoryStore, run_id: str = "r", **changes: Any) -> dict[str, Any]:
    manifest = dataset.prepare(workload, store)
    arguments: dict[str, Any] = {"events": EventLog(), "progress": lambda value: None, **changes}
    return train(workload=workload, seed=1, manifest=manifest, store=store, ranks=RankContext(),
                 run_id=run_id, **arguments)  # fmt: skip


def test_it_reaches_the_target(tiny: Workload, store: DirectoryStore) -> None:
    record = run(tiny, store)
    assert record["quality"]["passed"]
    assert 0 < record["time_to_train_s"] <= record["total_s"]


def test_the_same_seed_gives_the_same_losses(tiny: Workload, store: DirectoryStore) -> None:
    assert run(tiny, store, "a")["losses"] == run(tiny, store, "b")["losses"]


def test_a_resumed_run_ends_like_an_unbroken_one(tiny: Workload, store: DirectoryStore) -> None:
    whole = run(tiny, store, "whole")

    def stop(value: dict[str, Any]) -> None:
        if value["step"] == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny, store, "broken", progress=stop)
    resumed = run(tiny, store, "broken")
    assert resumed["resumed_from_step"] == 40
    assert resumed["curve"][-1]["value"] == whole["curve"][-1]["value"]
    assert resumed["losses"][-1] == whole["losses"][-1]


@pytest.mark.parametrize(("stop_at", "resumed_from"), [(50, 40), (10, None)])
def test_time_to_train_counts_what_a_restart_has_lost(
    tiny: Workload,
    store: DirectoryStore,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int,
    resumed_from: int | None,
) -> None:
    """Also before the first checkpoint, which a clock kept in checkpoints could not know."""

    def stop(value: dict[str, Any]) -> None:
        if value["step"] == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny, store, "broken", progress=stop)
    now = time.time
    monkeypatch.setattr("benchmark.training.train.time.time", lambda: now() + 1000)  # nothing ran for so long
    resumed = run(tiny, store, "broken")
    assert resumed["resumed_from_step"] == resumed_from
    assert resumed["earlier_attempts_s"] > 1000
    assert resumed["total_s"] > 1000
    later = [point["seconds"] for point in resumed["curve"] if point["step"] > (resumed_from or 0)]
    assert min(later) > 1000


def test_an_undisturbed_run_has_lost_nothing(tiny: Workload, store: DirectoryStore) -> None:
    assert run(tiny, store)["earlier_attempts_s"] == 0


def test_a_broken_time_of_the_start_is_an_error_that_names_it(store: DirectoryStore) -> None:
    store.put("checkpoints/r/begun.json", b'{"time": "noon"}')
    with pytest.raises(CheckpointError, match=r"checkpoints/r/begun\.json: is not the time of a start"):
        checkpoint.begun(store, "checkpoints/r", 1.0)


def test_the_breakdown_adds_up_to_the_step(tiny: Workload, store: DirectoryStore) -> None:
    record = run(tiny, store)
    mean = sum(record["step_times_s"]) / len(record["step_times_s"])
    assert sum(record["breakdown_s"].values()) == pytest.approx(mean, rel=0.01)
    assert 0 < record["accelerator_utilisation"] <= 1


def test_utilisation_counts_the_reading_of_data_only_when_cold() -> None:
    timer = StepTimer(lambda: None)
    timer.rows = [{**dict.fromkeys(PHASES, 0.0), "data": 0.1, "forward": 0.4, "backward": 0.5}] * 4
    found = timer.summary(batch_size=8, load_s=1.0)
    assert found["utilisation"] == pytest.approx(0.9)
    assert found["utilisation_cold"] == pytest.approx(3.6 / 5.0)


def test_what_cannot_be_measured_is_null_with_a_reason(tiny: Workload, store: DirectoryStore) -> None:
    record = run(tiny, store)
    assert record["mfu"] is None
    assert "gemm_peak_fraction" in record["not_measured"]["mfu"]


def test_the_model_is_written_as_safetensors_with_its_hash(tiny: Workload, store: DirectoryStore) -> None:
    card = run(tiny, store)["model"]
    data = store.get(card["key"])
    checkpoint.check(data, card["sha256"], card["key"])
    assert set(load_tensors(data)) == set(models.build(tiny.model).state_dict())


def test_a_diverged_loss_is_an_error_that_names_the_field(tiny: Workload, store: DirectoryStore) -> None:
    wild = changed(tiny, optimiser={"learning_rate": 1e38})
    with pytest.raises(TrainingError, match=r"tiny/seed-1: loss is (nan|inf).*optimiser.learning_rate"):
        run(wild, store)


def test_a_batch_that_ranks_cannot_share_is_refused(tiny: Workload, store: DirectoryStore) -> None:
    manifest = dataset.prepare(tiny, store)
    with pytest.raises(
        TrainingError, match=r"training\.batch_size: 256 is less than one sample for each of 257"
    ):
        train(workload=tiny, seed=1, manifest=manifest, store=store, ranks=RankContext(0, 257), run_id="r",
              events=EventLog(), progress=lambda value: None)  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_an_absent_gpu_is_an_error_that_names_the_field() -> None:
    with pytest.raises(DeviceError, match=r"training\.device: cuda"):
        ranks.require("cuda")


def test_the_event_log_is_complete(tiny: Workload, store: DirectoryStore) -> None:
    events = EventLog()
    run(tiny, store, events=events)
    assert check(events.events) == []


def test_a_cut_event_log_is_noticed(tiny: Workload, store: DirectoryStore) -> None:
    events = EventLog()
    run(tiny, store, events=events)
    problems = check(events.events[:-1])
    assert any("run (INTERVAL_END)" in problem for problem in problems)


def test_a_job_leaves_results_and_skips_them_the_next_time(
    tiny: Workload, store: DirectoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = Spec(run_id="r", workload=tiny, store=str(store.root))
    job.run(spec, RankContext())
    first = store.get("results/r/tiny/seed-1.json")
    job.run(spec, RankContext())
    assert store.get("results/r/tiny/seed-1.json") == first
    assert store.exists("results/r/tiny/machine.json")


def test_a_failed_job_leaves_its_error(
    tiny: Workload, store: DirectoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = Spec(run_id="r", workload=changed(tiny, optimiser={"learning_rate": 1e38}), store=str(store.root))
    with pytest.raises(BenchmarkError):
        job.run(spec, RankContext())
    error = json.loads(store.get("results/r/tiny/error.json"))
    assert error["type"] == "TrainingError"
    assert "@error" in capsys.readouterr().out


class TestCheckpoints:
    def test_what_is_saved_is_loaded(self, store: DirectoryStore) -> None:
        checkpoint.save(store, "checkpoints/c", 1, {"step": 1, "w": torch.ones(3)})
        state = checkpoint.load_latest(store, "checkpoints/c")
        assert state is not None
        assert torch.equal(state["w"], torch.ones(3))

    def test_none_is_there_at_first(self, store: DirectoryStore) -> None:
        assert checkpoint.load_latest(store, "checkpoints/c") is None

    def test_a_crash_before_the_pointer_leaves_the_old_one(self, store: DirectoryStore) -> None:
        checkpoint.save(store, "checkpoints/c", 1, {"step": 1})
        store.put("checkpoints/c/step-00000002.pt", b"half a checkpoi")
        state = checkpoint.load_latest(store, "checkpoints/c")
        assert state is not None
        assert state["step"] == 1

    def test_a_changed_byte_is_refused(self, store: DirectoryStore) -> None:
        pointer = checkpoint.save(store, "checkpoints/c", 1, {"step": 1})
        data = bytearray(store.get(pointer["key"]))
        data[10] ^= 1
        store.put(pointer["key"], bytes(data))
        with pytest.raises(CheckpointError, match=r"step-00000001.pt: sha256: expected"):
            checkpoint.load_latest(store, "checkpoints/c")

    def test_old_ones_are_removed(self, store: DirectoryStore) -> None:
        for step in range(5):
            checkpoint.save(store, "checkpoints/c", step, {"step": step})
        assert len(store.list("checkpoints/c/step-")) == checkpoint.KEEP

    def test_training_cannot_change_a_snapshot(self) -> None:
        weights = torch.zeros(2)
        copy = checkpoint.snapshot({"w": [weights]})
        weights += 1
        assert torch.equal(copy["w"][0], torch.zeros(2))

    def test_an_error_in_the_background_is_raised(self, store: DirectoryStore) -> None:
        store.root.write_text("a file where a directory is needed")
        checkpointer = checkpoint.Checkpointer(store, "checkpoints/c")
        checkpointer.save(1, {"step": 1})
        with pytest.raises((BenchmarkError, OSError)):
            checkpointer.close()


def test_gpt_looks_at_the_past_only() -> None:
    torch.manual_seed(0)
    model = models.build(GptConfig(kind="gpt", depth=2, width=16, heads=2, context=12))
    assert isinstance(model, models.Gpt)
    torch.nn.init.normal_(model.head.weight)
    x = torch.randint(256, (1, 12))
    changed_end = x.clone()
    changed_end[0, 8:] = 0
    assert torch.allclose(model(x)[0, :8], model(changed_end)[0, :8], atol=1e-5)


def test_cost_of_the_models_in_closed_form() -> None:
    mlp = models.build(MlpConfig(kind="mlp", inputs=10, hidden=[64, 64], outputs=1))
    assert mlp.flops_per_sample() == 6 * (10 * 64 + 64 * 64 + 64)
    gpt = models.build(GptConfig(kind="gpt", depth=2, width=128, heads=4, context=128))
    assert gpt.flops_per_sample() == 6 * (2 * 12 * 128**2 + 128 * 256) + 12 * 2 * 128 * 128


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(48, 16)))
    assert 0.6 < values.min() <= values.max() < 1.3


def test_the_learning_rate_warms_up_and_decays() -> None:
    config = OptimiserConfig(kind="adamw", learning_rate=1.0, warmup=0.1, final=0.1)
    factors = [learning_rate_factor(step, 100, config) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)
