"""`recovery` of a result: one training without a fault, and the same with a fault for each case.

Seconds; times in `lines` and `fault_s` count from the first start of the training.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from benchmark.core.document import Document, Part
from benchmark.core.run_record import HostLoad, Metric, Reasons

SCHEMA: Final = "aidc.recovery/1"


class Fault(Part):
    """What one fault cost; `fault_ms` by the clock of the world."""

    fault_ms: int
    interrupted: bool
    last_step: int
    last_checkpoint: int
    resumed_from: int | None
    steps_redone: int | None
    restart_s: float | None
    recovery_s: float | None
    not_measured: Reasons


class Case(Part):
    """One training. `lines`: of each start [[seconds, steps done], …]."""

    case: str
    lost: str
    service: str | None
    outage_s: float
    submissions: int
    healthy_again_s: float | None = None
    problem: str | None
    quality: float | None
    difference: float | None
    faults: list[Fault]
    attempts: int
    restarts: int
    steps: int
    finished: bool
    wall_s: float
    useful_s: float
    goodput: float | None
    fault_s: list[float]
    lines: list[list[list[float]]]
    host_load: HostLoad | None = None


class Recovery(Document):
    schema_: Literal["aidc.recovery/1"] = Field(default=SCHEMA, alias="schema")
    workload: str
    title: str
    seed: int
    world_size: int
    steps: int
    checkpoint_every: int
    metric: Metric
    tolerance: float
    log_resolution_s: float
    undisturbed: Case | None
    cases: list[Case]
