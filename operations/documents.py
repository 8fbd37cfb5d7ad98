"""The documents that operations write for programs, as models; docs/schemas/ has the JSON schema of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.core.words import masked
from components.planning.paths import ROOT

Outcome = Literal["passed", "missed", "inconclusive"]


class Entry(BaseModel):
    """A part of a document. Its words are shown as they are, so they steer no terminal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="after")
    @classmethod
    def _masked(cls, value: Any) -> Any:
        return masked(value) if isinstance(value, str) else value


class Alert(Entry):
    """A rule of the monitoring that holds now."""

    name: str
    state: Literal["firing", "pending"] = Field(description="`pending`: not yet for as long as it must hold.")
    severity: Literal["page", "ticket"] = Field(description="`page`: act at once; `ticket`: within days.")
    since: str | None = Field(description="When it began to hold, RFC 3339.")
    summary: str
    runbook: str = Field(description="What to do: a file of this repository, and the section in it.")


class Silence(Entry):
    """An alert that nobody is told of for a time."""

    identifier: str
    alert: str = Field(description="`(several)` for one that was not made by `aidc alerts`.")
    until: str = Field(description="RFC 3339.")
    because: str
    by: str


class Alerts(Entry):
    """What `aidc alerts --json` prints."""

    schema_: Literal["aidc.alerts/1"] = Field(alias="schema")
    stack: str
    alerts: list[Alert]
    silences: list[Silence]


class LifecycleFigure(Entry):
    """One figure: seconds, where less is better, or a ratio, where more is better."""

    name: str
    value: float | None = Field(description="Null when it could not be measured; `reason` says why.")
    target: float | None = Field(description="Null when it is measured without a target.")
    unit: Literal["s", "ratio"]
    reason: str
    judged: Outcome | Literal[""] = Field(description="The verdict on a figure that has an interval.")
    verdict: Outcome | Literal["not measured", "-"] = Field(description="`-` for a figure without a target.")


class Machine(Entry):
    """Where it was measured. `cpus` are logical ones."""

    cpus: int | None
    machine: str
    kernel: str


class AcceptanceRow(Entry):
    """One check of this machine's GPUs."""

    check: str
    verdict: Literal["pass", "fail", "skipped"]
    found: str
    fix: str = Field(description="The next step; empty where nothing failed.")


class Acceptance(Entry):
    """What `aidc accept` writes."""

    schema_: Literal["aidc.accept/1"] = Field(alias="schema")
    measured: str = Field(description="Begin, RFC 3339.")
    environment: Machine
    gpus: list[str] = Field(description="UUID and name of each GPU that the driver can use.")
    passed: bool
    checks: list[AcceptanceRow]


class Lifecycle(Entry):
    """What `aidc bench-lifecycle` writes."""

    schema_: Literal["aidc.lifecycle/1"] = Field(alias="schema")
    stack: str = Field(description="The stack that was copied, not the copy that was measured.")
    environment: Machine
    figures: list[LifecycleFigure]


def content(document: BaseModel) -> dict[str, Any]:
    """The document as it is written."""
    return document.model_dump(mode="json", by_alias=True)


def write(document: BaseModel, stack: str, out: Path | None, name: str) -> Path:
    """Write a document into the stack's folder, or into `out`; its path."""
    path = (out or ROOT / "out" / stack) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content(document), indent=1) + "\n", encoding="utf-8")
    return path


class DrillLevel(Entry):
    """One level of a restore drill."""

    name: str
    passed: bool
    detail: str


class DrillLog(Entry):
    """The database out of its base backup and its log."""

    backup: str = Field(description="The base backup that the replay began with.")
    until: str = Field(description="Time of the last transaction that came back, RFC 3339.")
    rpo_s: float = Field(description="Its age when the drill began, in seconds.")
    moment: str | None = Field(description="The moment whose rows were compared, RFC 3339.")
    tables: int = Field(description="Tables that were compared at that moment.")
    changed: list[str] = Field(description="Tables that changed at that moment: not compared.")
    seconds: dict[str, float] = Field(description="Of the parts: fetch, replay, check.")


class DrillModel(Entry):
    """One model out of the backup, and what it answered without a network."""

    model: str
    version: int | None = Field(description="The registry's champion; null for one that is only served.")
    sha256: str = Field(description="Of its weights.")
    outcome: Literal["equal", "different", "failed", "not compared"] = Field(
        description="`failed`: it is missing, has other weights, or did not answer."
    )
    against: Literal["live", "recorded"] | None = Field(
        description="Compared with the live answer, or with the one recorded when it was served."
    )
    detail: str


class Drill(Entry):
    """What `make drill` writes to drill.json."""

    schema_: Literal["aidc.drill/1"] = Field(alias="schema")
    passed: bool
    started: str = Field(description="RFC 3339.")
    finished: str = Field(description="RFC 3339.")
    at: str | None = Field(
        default=None, description="The time that was asked for; null for the newest backup."
    )
    snapshot: str | None
    taken: str | None = Field(description="When the snapshot was taken, RFC 3339.")
    rpo_s: float | None = Field(description="Age of the restored data when the drill began, in seconds.")
    rto_s: float = Field(description="From the start until objects and databases were compared, in seconds.")
    log: DrillLog | None = Field(default=None, description="None where the snapshot holds no archive.")
    models: list[DrillModel] = Field(default=[], description="Empty where no model is registered or served.")
    levels: list[DrillLevel]
    sources: list[str]
    compared: int = Field(description="Objects and rows.")
    objects: int = Field(default=0, description="The objects among them.")
    different: int = Field(description="Objects, tables and models that are missing or differ.")
    unreadable_then: int = Field(description="Objects that the store had not given to the backup either.")
    faults: list[str] = Field(description="The first of what failed or differs.")


class Load(Entry):
    """What other programs took of the machine meanwhile."""

    seconds: float
    cores: int
    others_share: float | None = Field(description="Share of all cores, 0 to 1; null when unknown.")


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
    steps: list[RecoveryStep]
    passed: bool = Field(description="The drill passed.")
    rpo_s: float | None
    rto_s: float
    compared: int = Field(description="Objects and rows.")
    different: int
    services: list[ServiceUsage]
