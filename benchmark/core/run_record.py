"""The record of one training run: one seed of one workload, as the ranks leave it in the store.

Seconds, joules and samples are those of the whole run over all ranks, unless a field says otherwise.
A null is a figure that was not measured, and `not_measured` has the reason.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from benchmark.core.document import Document, Part

SCHEMA: Final = "aidc.run/1"
Metric = Literal["accuracy", "bits_per_byte"]
Reasons = dict[str, str]  # field -> why it is null


class Quality(Part):
    metric: Metric
    value: float
    target: float
    passed: bool


class Throughput(Part):
    """Over the steps after warm-up."""

    value: float
    unit: str


class StepTime(Part):
    """Seconds per step after warm-up."""

    median: float
    p95: float


class Energy(Part):
    """`gross_j` is what the counters say, `net_j` without the idle power of the same machine."""

    source: str
    covers: list[str]
    gross_j: float
    idle_w: float | None
    net_j: float | None
    seconds: float
    samples: int
    per: str


class CurvePoint(Part):
    """An evaluation: after so many steps and samples, so many seconds into the run."""

    step: int
    samples: int
    seconds: float
    value: float


class Loss(Part):
    step: int
    loss: float


class Compiling(Part):
    """Whether the model was compiled, and the seconds of one forward and backward pass in the trial."""

    compiled: bool
    reason: str
    compile_s: float | None
    eager_s: float | None
    compiled_s: float | None


class Gemm(Part):
    """Matrix products of `size` on one rank, GFLOP/s."""

    size: int
    fp32_gflops: float
    bf16_gflops: float


class SavedCheckpoint(Part):
    step: int
    key: str
    sha256: str
    bytes: int
    seconds: float


class ModelCard(Part):
    """What names the trained weights in the store. `model`: the architecture that the workload declares."""

    schema_: Literal["aidc.model/1"] = Field(alias="schema")
    workload: str
    key: str
    sha256: str
    bytes: int
    model: dict[str, Any]
    metric: Metric
    quality: float
    seed: int
    data_sha256: str


class HostLoad(Part):
    """What other programs took of this machine's processors meanwhile: a share of all of them."""

    seconds: float
    cores: int
    others_share: float | None
    load_1m: float
    not_measured: Reasons


class TrainingRun(Document):
    schema_: Literal["aidc.run/1"] = Field(default=SCHEMA, alias="schema")
    workload: str
    seed: int
    launcher: str
    world_size: int
    device: str
    quality: Quality
    time_to_train_s: float | None
    throughput: Throughput | None
    step_time_s: StepTime | None
    accelerator_utilisation: float | None
    accelerator_utilisation_cold: float | None = None
    compute_share: float | None = None
    mfu: float | None
    gemm_peak_fraction: float | None
    energy_j_per_sample: float | None
    energy: Energy | None = None
    not_measured: Reasons
    curve: list[CurvePoint]
    losses: list[Loss]
    total_s: float
    load_s: float
    resumed_from_step: int | None
    earlier_attempts_s: float = 0.0
    breakdown_s: dict[str, float]  # phase -> mean seconds per step
    step_times_s: list[float]
    warmup_steps: int | None
    precision: Literal["fp32", "bf16"]
    compiling: Compiling | None = None
    gemm: Gemm
    flops_per_sample: float
    parameters: int
    checkpoints: list[SavedCheckpoint]
    # What the launcher adds.
    model: ModelCard | None = None
    host_load: HostLoad | None = None
