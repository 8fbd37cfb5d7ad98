"""The documents that operations write for programs, as models; docs/schemas/ has the JSON schema of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.core.words import masked
from components.planning.paths import ROOT


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
