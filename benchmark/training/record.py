"""From what a training has left to its record: pure arithmetic, no device and no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.core.config import GptConfig, Workload
from benchmark.core.ranks import RankContext
from benchmark.core.run_record import (
    Compiling,
    CurvePoint,
    Energy,
    Gemm,
    Loss,
    ModelCard,
    Quality,
    SavedCheckpoint,
    StepTime,
    Throughput,
    TrainingRun,
)
from benchmark.core.timing import compute_share
from benchmark.telemetry.energy import Summary


@dataclass(frozen=True)
class Outcome:
    """What the loop has left. `first`: the step it began at; `timing`: of `StepTimer.summary`, may be empty.

    `alone_s`: seconds of a backward pass that exchanges nothing, where all-reduce has no clock of its own.
    `hardware_peak`: FLOP/s of the vendor's data sheet, None where it is not known.
    """

    workload: Workload
    seed: int
    ranks: RankContext
    first: int
    curve: list[dict[str, Any]]
    losses: list[dict[str, Any]]
    timing: dict[str, Any]
    alone_s: float | None
    energy: Summary
    total_s: float
    load_s: float
    earlier_s: float
    bf16: bool
    gemm: dict[str, Any]
    hardware_peak: float | None
    compiling: dict[str, Any]
    flops: int
    parameters: int
    checkpoints: list[dict[str, Any]]
    model: dict[str, Any]

    @property
    def final(self) -> float:
        """Quality at the end of the schedule."""
        return float(self.curve[-1]["value"])

    @property
    def reached_s(self) -> float | None:
        """Seconds until the first evaluation that reached the target."""
        target = self.workload.target
        return next((float(p["seconds"]) for p in self.curve if target.reached(p["value"])), None)


def samples_per_row(workload: Workload) -> int:
    """Language models count tokens, the others rows."""
    return workload.model.context if isinstance(workload.model, GptConfig) else 1


def record_of(outcome: Outcome) -> TrainingRun:
    timing, ranks, workload = outcome.timing, outcome.ranks, outcome.workload
    rate = timing.get("samples_per_s")
    flops_per_s = outcome.flops * rate / ranks.world_size if rate else None
    gemm_peak = outcome.gemm["bf16_gflops" if outcome.bf16 else "fp32_gflops"] * 1e9
    breakdown = step_breakdown(timing, outcome.alone_s, ranks.world_size)
    return TrainingRun(
        workload=workload.name,
        seed=outcome.seed,
        launcher=ranks.launcher,
        world_size=ranks.world_size,
        device=ranks.kind,
        quality=Quality(
            metric=workload.target.metric,
            value=outcome.final,
            target=workload.target.value,
            passed=workload.target.reached(outcome.final),
        ),
        time_to_train_s=outcome.reached_s,
        throughput=Throughput(value=round(rate, 1), unit=workload.unit) if rate else None,
        step_time_s=StepTime(median=timing["median"], p95=timing["p95"]) if timing else None,
        accelerator_utilisation=round(timing["utilisation"], 4) if timing else None,
        accelerator_utilisation_cold=round(timing["utilisation_cold"], 4) if timing else None,
        compute_share=compute_share({"breakdown_s": breakdown}),
        mfu=_share(flops_per_s, outcome.hardware_peak),
        gemm_peak_fraction=_share(flops_per_s, gemm_peak),
        energy_j_per_sample=outcome.energy.net_j_per_sample,
        energy=Energy(**outcome.energy.energy) if outcome.energy.energy else None,
        not_measured=not_measured(outcome),
        curve=[CurvePoint(**point) for point in outcome.curve],
        losses=[Loss(**point) for point in outcome.losses],
        total_s=round(outcome.total_s, 3),
        load_s=round(outcome.load_s, 3),
        resumed_from_step=outcome.first or None,
        earlier_attempts_s=round(outcome.earlier_s, 3),
        breakdown_s=breakdown,
        step_times_s=timing.get("raw_s", []),
        warmup_steps=timing.get("warmup_steps"),
        precision="bf16" if outcome.bf16 else "fp32",
        compiling=Compiling(**outcome.compiling),
        gemm=Gemm(**outcome.gemm),
        flops_per_sample=outcome.flops,
        parameters=outcome.parameters,
        checkpoints=[SavedCheckpoint(**pointer) for pointer in outcome.checkpoints],
        model=ModelCard(**outcome.model),
    )


def not_measured(outcome: Outcome) -> dict[str, str]:
    """The reason of every figure that is null."""
    missing = {}
    if outcome.reached_s is None:
        missing["time_to_train_s"] = "the target was not reached"
    if outcome.hardware_peak is None:
        on_cpu = outcome.ranks.device == "cpu"
        missing["mfu"] = (
            "no vendor peak on a CPU: see gemm_peak_fraction" if on_cpu else "this GPU's peak is unknown"
        )
    if outcome.energy.net_j_per_sample is None:
        missing["energy_j_per_sample"] = outcome.energy.reason
    if not outcome.timing:
        reason = "all steps were done before this process started"
        missing.update(dict.fromkeys(("throughput", "step_time_s"), reason))
    return missing


def step_breakdown(timing: dict[str, Any], alone_s: float | None, ranks: int) -> dict[str, float]:
    """Mean seconds per step by phase; all-reduce is what backward does not hide, and no phase of one rank.

    `alone_s`: of a backward pass that exchanges nothing, where all-reduce has no clock of its own.
    """
    if not timing:
        return {}
    phases = dict(timing["phases_s"])
    if alone_s is not None:
        phases["all_reduce"] = max(0.0, phases["backward"] - alone_s)
        phases["backward"] -= phases["all_reduce"]
    if ranks == 1:
        del phases["all_reduce"]
    return {name: round(value, 7) for name, value in phases.items()}


def _share(rate: float | None, peak: float | None) -> float | None:
    return round(rate / peak, 4) if rate and peak else None
