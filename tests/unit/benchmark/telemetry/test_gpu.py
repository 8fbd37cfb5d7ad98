"""What only a GPU shows: it trains to what a CPU trains to, and its clock, energy and bounds are right."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from benchmark.core import ranks
from benchmark.core.config import WORKLOADS_DIR, Workload, load
from benchmark.core.errors import DeviceError
from benchmark.core.events import EventLog
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset
from benchmark.experiments import plain_loop, segments
from benchmark.model import kernels
from benchmark.model.compiling import choose
from benchmark.model.models import Gpt, compiled
from benchmark.model.optimiser import orthogonalise
from benchmark.telemetry import energy
from benchmark.training.train import train
from tests.unit.benchmark.conftest import changed

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
GPU = RankContext(device="cuda:0")


@pytest.fixture
def language() -> Workload:
    """Large enough that a step outlasts its launch; the data are the interpreter's own library."""
    return changed(
        load(WORKLOADS_DIR / "bytelm.yaml", "gpu"),
        model={"depth": 4, "width": 512, "heads": 8, "context": 512},
        training={"steps": 60, "batch_size": 64, "evaluate_every": 30, "checkpoint_every": 30,
                  "heldout_bytes": 65536},
    )  # fmt: skip


def run(
    workload: Workload, store: DirectoryStore, where: RankContext, run_id: str, **more: Any
) -> dict[str, Any]:
    manifest = dataset.prepare(workload, store, frozen=False)
    arguments: dict[str, Any] = {"events": EventLog(), "progress": lambda value: None, **more}
    return train(workload=workload, seed=1, manifest=manifest, store=store, ranks=where, run_id=run_id,
                 **arguments)  # fmt: skip


def losses(record: dict[str, Any]) -> torch.Tensor:
    return torch.tensor([point["loss"] for point in record["losses"]])


def test_it_trains_like_a_cpu(tiny: Workload, store: DirectoryStore) -> None:
    fp32 = changed(tiny, training={"precision": "fp32"})
    a, b = (run(fp32, store, where, where.kind) for where in (RankContext(), GPU))
    assert (losses(a) - losses(b)).abs().max() < 1e-3
    assert a["quality"]["value"] == pytest.approx(b["quality"]["value"], abs=2e-3)


def test_bfloat16_learns_like_float32(language: Workload, store: DirectoryStore) -> None:
    short = changed(language, training={"batch_size": 16})
    a, b = (run(changed(short, training={"precision": p}), store, GPU, p) for p in ("fp32", "bf16"))
    assert (b["losses"][-1]["loss"], b["precision"]) == (
        pytest.approx(a["losses"][-1]["loss"], rel=0.03),
        "bf16",
    )
    assert b["losses"][-1]["loss"] < 0.7 * b["losses"][0]["loss"]


def test_the_clock_sees_all_that_the_device_does(language: Workload, store: DirectoryStore) -> None:
    events = EventLog(trace=True)  # the device is waited for after each tenth step, so also before 60 and 10
    workload = changed(language, training={"evaluate_every": 60, "checkpoint_every": 61})
    record = run(workload, store, GPU, "clock", events=events)
    done = {e["value"]: e["time_ms"] / 1e3 for e in events.events if e["key"] == "step"}
    wall = done[60] - done[record["warmup_steps"]]
    assert sum(record["step_times_s"]) == pytest.approx(wall, rel=0.1)
    assert sum(record["breakdown_s"].values()) >= 0.9 * record["step_time_s"]["median"]
    assert 0 < record["gemm_peak_fraction"] <= 1


def test_a_resumed_run_ends_like_an_unbroken_one(language: Workload, store: DirectoryStore) -> None:
    whole = run(language, store, GPU, "whole")

    def stop(value: dict[str, Any]) -> None:
        if value["step"] == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(language, store, GPU, "broken", progress=stop)
    time.sleep(2)  # the checkpoint of step 30 is written behind its back
    resumed = run(language, store, GPU, "broken")
    assert resumed["resumed_from_step"] == 30
    assert resumed["curve"][-1]["value"] == pytest.approx(whole["curve"][-1]["value"], rel=0.01)


def test_joules_are_between_idle_and_what_a_gpu_can_draw(language: Workload, store: DirectoryStore) -> None:
    meter = energy.meter_for(GPU.device)
    GPU.synchronise()
    meter.measure_idle(2)
    record = run(language, store, GPU, "joules", meter=meter)
    found = record["energy"]
    assert "NVML" in found["source"]
    assert 10 < found["idle_w"] < found["gross_j"] / found["seconds"] < 1500
    assert record["energy_j_per_sample"] > 0


def test_the_optimiser_makes_updates_orthogonal() -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(4, 96, 384, device=GPU.device)).float())
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


@pytest.mark.parametrize("bf16", [False, True])
def test_the_model_is_the_same_function_compiled(language: Workload, bf16: bool) -> None:
    torch.manual_seed(1)
    model = Gpt(language.model).to(GPU.device)  # type: ignore[arg-type]
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.05)
    x = torch.randint(256, (4, 512), device=GPU.device)

    def gradients(module: torch.nn.Module) -> torch.Tensor:
        model.zero_grad()
        with GPU.autocast(bf16):
            torch.autograd.backward(torch.nn.functional.cross_entropy(module(x).flatten(0, 1), x.flatten()))
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    a, b = gradients(model), gradients(compiled(model))
    assert float((a - b).norm() / a.norm()) < (0.03 if bf16 else 1e-4)


def test_compiling_is_tried_where_there_is_a_compiler(language: Workload) -> None:
    model = Gpt(language.model).to(GPU.device)  # type: ignore[arg-type]
    x = torch.randint(256, (8, 512), device=GPU.device)

    def one_pass(module: torch.nn.Module) -> None:
        with GPU.autocast(True):
            torch.autograd.backward(module(x).float().square().mean())

    found = choose(model, one_pass, 1_000_000, GPU)
    assert found.compiled_s is not None, found.reason


def test_both_loops_start_at_the_same_loss(language: Workload, store: DirectoryStore) -> None:
    manifest = dataset.prepare(language, store, frozen=False)
    path = store.root / segments.BYTES
    path.write_bytes(dataset.load(manifest, store, "train")["bytes"].numpy().tobytes())
    setting = segments.Setting(store.root, manifest, threads=1, device="cuda")
    found = [
        segments.run(segments.Segment(loop, language, 20, loop), setting, GPU) for loop in ("plain", "ours")
    ]
    assert [r["first_loss"] for r in found] == pytest.approx(
        [5.545, 5.545], abs=0.02
    )  # one of them is in bfloat16
    assert [len(r["step_times_s"]) for r in found] == [20, 20]


def test_the_plain_batch_arrives_on_the_device(language: Workload, store: DirectoryStore) -> None:
    path = store.root / "bytes"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(range(100)))
    x, y = plain_loop.batch_of(path, 8, 16, GPU.device)
    assert x.device.type == "cuda"
    assert torch.equal(x[:, 1:], y[:, :-1])


def test_kernels_are_for_cpus() -> None:
    assert not kernels.written_out(torch.zeros(1, device=GPU.device))


def test_a_rank_without_a_gpu_of_its_own_is_refused() -> None:
    with pytest.raises(DeviceError, match="needs its own GPU"):
        ranks.require("cuda", torch.cuda.device_count())
