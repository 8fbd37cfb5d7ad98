"""The efficiency comparison: raw runs in rounds, and the ratios that follow from them."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from benchmark.analysis.documents.machine import Machine, Source
from benchmark.core.document import Document, Part
from benchmark.core.run_record import Compiling, HostLoad
from benchmark.core.verdict import Outcome

SCHEMA: Final = "aidc.efficiency/1"


class Where(Source):
    host: Machine


class SegmentRun(Part):
    """One short training. Step times are seconds of the steps after warm-up."""

    round: int
    kind: str
    loop: Literal["plain", "ours"]
    optimiser: str
    world_size: int
    batch_size: int
    started: float
    load_1m: float
    tokens_per_s: float
    step_median_s: float
    step_times_s: list[float]
    first_loss: float
    accelerator_utilisation: float | None = None
    compute_share: float | None = None
    gemm_peak_fraction: float | None = None
    breakdown_s: dict[str, float] | None = None
    compiling: Compiling | None = None
    precision: str | None = None
    copies: int | None = None
    host_load: HostLoad | None = None


class Ratio(Part):
    """Geometric mean over the rounds with its 95 % interval. `disturbed`: why a failure is none, or empty."""

    ratio: float
    low: float | None
    high: float | None
    pairs: int
    verdict: Outcome
    disturbed: str = ""


class Speed(Part):
    bound: float
    runs: list[SegmentRun]
    ratios: dict[str, Ratio]


class Scaling(Part):
    """`apart`: as many copies that exchange nothing, the most that ranks could reach."""

    bound: float
    ranks: int
    runs: list[SegmentRun]
    efficiencies: dict[str, Ratio]
    apart: Ratio | None = None


class Efficiency(Document):
    """`workload`: its settings, as they were checked when the workload file was read."""

    schema_: Literal["aidc.efficiency/1"] = Field(default=SCHEMA, alias="schema")
    started: str
    finished: str | None
    problem: str | None
    environment: Where
    workload: dict[str, Any]
    unit: str
    threads: int
    steps: int
    pairs: int
    device: str
    cores: int
    gpus: int
    no_scaling: str
    data_sha256: str | None = None
    speed: Speed
    scaling: Scaling
