"""The record of a training: what follows from what the loop has left, and what is null with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmark.core.config import Workload
from benchmark.core.ranks import RankContext
from benchmark.telemetry.energy import Summary
from benchmark.training.record import Outcome, not_measured, record_of, step_breakdown

PHASES = {"data": 0.1, "forward": 0.2, "backward": 0.5, "all_reduce": 0.0, "optimiser": 0.1,
          "checkpoint": 0.1}  # fmt: skip
TIMING = {"samples_per_s": 1000.04, "median": 0.01, "p95": 0.02, "phases_s": PHASES, "utilisation": 0.8,
          "utilisation_cold": 0.7, "steps": 55, "warmup_steps": 5, "raw_s": [0.01]}  # fmt: skip


@pytest.fixture
def outcome(tiny: Workload) -> Outcome:
    curve = [
        {"step": n, "samples": 10 * n, "seconds": float(n), "value": v} for n, v in ((10, 0.5), (20, 1.0))
    ]
    card: dict[str, Any] = {
        "schema": "aidc.model/1", "workload": "tiny", "key": "k", "sha256": "0", "bytes": 1, "model": {},
        "metric": tiny.target.metric, "quality": 1.0, "seed": 1, "data_sha256": "0",
    }  # fmt: skip
    return Outcome(
        workload=tiny, seed=1, ranks=RankContext(0, 2), first=0, curve=curve,
        losses=[{"step": 20, "loss": 0.1}], timing=TIMING, alone_s=0.3,
        energy=Summary(None, None, "no counter"), total_s=21.0, load_s=1.0,
        earlier_s=0.0, bf16=False, gemm={"size": 8, "fp32_gflops": 1.0, "bf16_gflops": 0.5},
        hardware_peak=None, compiling={"compiled": False, "reason": "", "compile_s": None, "eager_s": None,
                                       "compiled_s": None},
        flops=1000, parameters=10, checkpoints=[], model=card,
    )  # fmt: skip


def test_time_to_train_is_that_of_the_first_evaluation_at_the_target(outcome: Outcome) -> None:
    assert record_of(outcome).time_to_train_s == 20.0
    assert record_of(outcome).quality.passed


def test_flops_are_those_of_one_rank_against_its_own_peak(outcome: Outcome) -> None:
    assert record_of(outcome).gemm_peak_fraction == round(1000 * 1000.04 / 2 / 1e9, 4)
    assert record_of(replace(outcome, hardware_peak=1e6)).mfu == 0.5


def test_every_figure_that_is_null_has_its_reason(outcome: Outcome) -> None:
    early = replace(outcome, timing={}, curve=outcome.curve[:1])
    record = record_of(early).content()
    for field, reason in not_measured(early).items():
        assert record[field] is None, field
        assert reason
    assert set(not_measured(early)) == {
        "time_to_train_s", "mfu", "energy_j_per_sample", "throughput", "step_time_s",
    }  # fmt: skip


def test_all_reduce_is_what_backward_takes_longer_than_alone() -> None:
    phases = step_breakdown(TIMING, 0.3, 2)
    assert phases["all_reduce"] == pytest.approx(0.2)
    assert phases["backward"] == pytest.approx(0.3)
    assert "all_reduce" not in step_breakdown(TIMING, None, 1)
    assert step_breakdown({}, None, 1) == {}
