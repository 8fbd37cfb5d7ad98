"""What the measurements of a stack write for programs, as models; docs/schemas/ has their JSON schemas."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from operations.documents import Entry, Machine

Outcome = Literal["passed", "missed", "inconclusive"]


class Load(Entry):
    """What other programs took of the machine meanwhile."""

    seconds: float
    cores: int
    others_share: float | None = Field(description="Share of all cores, 0 to 1; null when unknown.")


class LifecycleFigure(Entry):
    """One figure: seconds, where less is better, or a ratio, where more is better."""

    name: str
    value: float | None = Field(description="Null when it could not be measured; `reason` says why.")
    target: float | None = Field(description="Null when it is measured without a target.")
    unit: Literal["s", "ratio"]
    reason: str
    judged: Outcome | Literal[""] = Field(description="The verdict on a figure that has an interval.")
    verdict: Outcome | Literal["not measured", "-"] = Field(description="`-` for a figure without a target.")


class Lifecycle(Entry):
    """What `aidc bench-lifecycle` writes."""

    schema_: Literal["aidc.lifecycle/1"] = Field(alias="schema")
    stack: str = Field(description="The stack that was copied, not the copy that was measured.")
    environment: Machine
    figures: list[LifecycleFigure]


class StorageRow(Entry):
    """One operation, size, number of clients, and way: `balancer`, `direct`, or `plain`."""

    way: str
    operation: str
    bytes: int
    clients: int
    mb_s: list[float] = Field(description="Throughput of each segment in 10^6 bytes per second.")
    median_mb_s: float
    operations: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None = Field(description="Null below 662 operations.")
    faults: int
    first_fault: str | None
    client_cpus: float = Field(description="Cores that the load's own client used; it shares the machine.")


class StorageRatio(Entry):
    """Throughput of `way` divided by that of `to`, with a 95 % interval over pairs of segments."""

    way: str
    to: str
    operation: str
    bytes: int
    clients: int
    ratio: float
    low: float | None
    high: float | None
    pairs: int


class Storage(Entry):
    """What `make bench-storage` writes to storage.json."""

    schema_: Literal["aidc.storage/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    load: Load
    segment_s: float
    rows: list[StorageRow]
    ratios: list[StorageRatio]


class ServiceUsage(Entry):
    """What one container used. Memory is anonymous and shared memory: file cache does not count."""

    name: str
    role: str
    cpus: float | None = Field(description="Mean number of cores; null where it was seen only once.")
    memory_bytes: int = Field(description="At the end.")
    peak_bytes: int = Field(description="The highest of one reading a second.")
    limit_bytes: int


class StackUsage(Entry):
    """What `make usage` writes to usage.json."""

    schema_: Literal["aidc.usage/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    seconds: float
    services: list[ServiceUsage]


class Ratio(Entry):
    """Throughput of ours divided by that of what it is compared with, with a 95 % interval over pairs."""

    ratio: float
    low: float | None
    high: float | None
    pairs: int


class BackupPair(Entry):
    """Seconds of one backup each way, one directly after the other."""

    ours_s: float
    by_hand_s: float


class BackupFigures(Entry):
    """What `make bench-backup` writes to backup-figures.json."""

    schema_: Literal["aidc.backup-figures/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    load: Load
    bytes: int = Field(description="Of the objects that each backup saves.")
    pairs: list[BackupPair]
    ratio: Ratio
    bound: float
    verdict: Outcome


class DatabaseRow(Entry):
    """pgbench in one mode by one way: `tls`, `socket`, or `plain`."""

    mode: str
    way: str
    tps: list[float] = Field(description="Transactions per second of each run.")
    median_tps: float
    latency_ms: float = Field(description="Median over the runs of the mean of each.")
    connect_ms: float | None = Field(description="The same of connecting; null where connections are kept.")


class DatabaseRatio(Entry):
    """Transactions per second of `way` divided by those of `to`, with a 95 % interval over pairs."""

    mode: str
    way: str
    to: str
    ratio: float
    low: float | None
    high: float | None
    pairs: int


class DatabaseFigures(Entry):
    """What `make bench-database` writes to database-figures.json."""

    schema_: Literal["aidc.database-figures/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    load: Load
    run_s: int
    rows: list[DatabaseRow]
    ratios: list[DatabaseRatio]


class SubmitRow(Entry):
    """Seconds from a command to the first step of a training by one way: `submit`, `ray`, or `torchrun`."""

    way: str
    seconds: list[float]
    median_s: float


class SubmitRatio(Ratio):
    """Seconds of `way` divided by those of `to`, with a 95 % interval over pairs."""

    way: str
    to: str


class SubmitFigures(Entry):
    """What `make bench-submit` writes to submit-figures.json."""

    schema_: Literal["aidc.submit-figures/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    load: Load
    ranks: int
    rows: list[SubmitRow]
    ratios: list[SubmitRatio]


# What objects are of: random bytes, which do not compress, or random letters, which do to a quarter.
Data = Literal["bytes", "letters"]


class RecoveryStep(Entry):
    """One step over all of the data; `mb_s` in 10^6 bytes per second."""

    name: str
    seconds: float
    mb_s: float


class RecoveryFigures(Entry):
    """What `make bench-recovery` writes to recovery-figures.json."""

    schema_: Literal["aidc.recovery-figures/1"] = Field(alias="schema")
    stack: str
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    load: Load
    bytes: int
    data: Data
    steps: list[RecoveryStep]
    passed: bool = Field(description="The drill passed.")
    rpo_s: float | None
    rto_s: float
    compared: int = Field(description="Objects and rows.")
    different: int
    services: list[ServiceUsage]
