"""The result of a run, `aidc.result/1`: what was measured, where, and the verdicts on it.

Left as mappings: the settings of workloads, which `benchmark.core.config` checks when it reads them; the
flows and segments, which are the stack's inventory; and the provenance of data, which differs by source.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from benchmark.analysis.documents.efficiency import Efficiency
from benchmark.analysis.documents.machine import Machine, Source
from benchmark.analysis.documents.recovery import Recovery
from benchmark.analysis.documents.restorable import Restorable
from benchmark.analysis.documents.serving import Serving
from benchmark.core.document import Document, Part
from benchmark.core.run_record import Gemm, Reasons, TrainingRun
from benchmark.core.verdict import Outcome

SCHEMA: Final = "aidc.result/1"


class Environment(Source):
    host: Machine
    nodes: list[Machine]
    images: dict[str, str]  # service -> image


class Configuration(Part):
    workloads: dict[str, dict[str, Any]]  # name -> settings


class Series(Part):
    file: str
    sha256: str


class Schedule(Part):
    """When the run was to start, and the mean of the series over it."""

    window: str | None
    series: Series | None
    expected_duration_s: float | None = None
    asked_at: str | None = None
    start: str | None = None
    started: str
    expected_mean: float | None
    expected_mean_now: float | None
    unit: str | None


class Shard(Part):
    key: str
    sha256: str
    bytes: int
    rows: int


class Split(Part):
    rows: int
    bytes: int
    shards: list[Shard]


class Stage(Part):
    stage: str
    records: int
    bytes: int
    sha256: str
    seconds: float


class Baseline(Part):
    name: str
    value: float
    note: str


class Upload(Part):
    bytes: int
    seconds: float


class DataSet(Part):
    schema_: Literal["aidc.dataset/1"] = Field(alias="schema")
    name: str
    prefix: str
    description: dict[str, Any]
    sha256: str
    splits: dict[str, Split]
    stages: list[Stage]
    provenance: dict[str, Any]
    baselines: list[Baseline]
    upload: Upload
    reused: bool = False


class RankProbe(Gemm):
    rank: int
    memory_gb_s: float


class AllReduce(Part):
    bytes: int
    time_ms: float
    algbw_gb_s: float
    busbw_gb_s: float


class ObjectProbe(Part):
    bytes: int
    put_ms: float
    get_ms: float
    put_mb_s: float
    get_mb_s: float


class Spread(Part):
    fastest: float
    median: float
    slowest: float


class StoreLoad(Part):
    """A sustained load in segments of one second, MB/s; time to first byte of the GETs in ms."""

    clients: int
    object_bytes: int
    objects: int
    seconds: float
    mb_s: float
    segments_mb_s: list[float]
    segment_mb_s: Spread | None = None
    not_measured: Reasons | None = None
    ttfb_p50_ms: float | None = None
    ttfb_p90_ms: float | None = None
    ttfb_p95_ms: float | None = None
    ttfb_p99_ms: float | None = None


class CheckpointProbe(Part):
    bytes: int
    write_s: float
    read_s: float
    write_mb_s: float
    read_mb_s: float


class DiskProbe(Part):
    bytes: int
    write_mb_s: float
    read_cached_mb_s: float


class Probes(Part):
    world_size: int
    device: str
    ranks: list[RankProbe]
    all_reduce: list[AllReduce]
    object_store: list[ObjectProbe]
    object_store_load: dict[Literal["put", "get"], StoreLoad] | None = None
    checkpoint: CheckpointProbe | None = None
    disk: DiskProbe


class Topology(Part):
    flows: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    counts: dict[str, int]  # role -> services


class Error(Part):
    where: str
    message: str


class Verdict(Part):
    """`inconclusive`: the measurement supports neither; `actual` says why."""

    name: str
    verdict: Outcome
    expected: str
    actual: str


class GateRow(Verdict):
    metric: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    pairs: int | None = None


class Identity(Part):
    """What names a result that was compared."""

    stack: str | None
    tier: str | None
    run_id: str | None
    started: str | None
    git_commit: str | None
    git_dirty: bool | None
    source_sha256: str | None
    torch: str | None


class Gate(Part):
    """The comparison with an earlier result; only `problems` where the two must not be compared."""

    verdict: Outcome | None
    problems: list[str] | None = None
    rows: list[GateRow] | None = None
    baseline: Identity | None = None
    candidate: Identity | None = None


class Tracking(Part):
    """Where MLflow has the run; `problem`: why not all of it is there."""

    experiment: str | None
    run: str | None
    url: str | None
    problem: str | None


class Turns(Part):
    """Runs that were measured alternately: how many rounds."""

    rounds: int


class Result(Document):
    schema_: Literal["aidc.result/1"] = Field(default=SCHEMA, alias="schema")
    complete: bool
    stack: str
    tier: str
    run_id: str
    started: str
    finished: str | None = None
    command: str | None = None
    schedule: Schedule | None = None
    environment: Environment
    configuration: Configuration
    data: dict[str, DataSet]
    training: list[TrainingRun]
    bare: list[TrainingRun]
    serving: Serving | None = None
    probes: Probes | None = None
    topology: Topology
    event_problems: list[str] | None = None
    errors: list[Error]
    recovery: Recovery | None = None
    restorable: Restorable | None = None
    efficiency: Efficiency | None = None
    turns: Turns | None = None
    gate: Gate | None = None
    tracking: Tracking | None = None
    verdicts: list[Verdict]
