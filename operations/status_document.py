"""What `aidc status --json` prints, as models; docs/schemas/status.json is made from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from operations.documents import Alert, Entry
from operations.nodes_document import NodeVerdict


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


# A time that a service tells, of which an age is shown: one that was taken over tells anything.
Moment = Annotated[str, AfterValidator(_moment)]


class Service(Entry):
    """One container that is declared, or that runs without being declared."""

    name: str
    role: str
    container: str
    addresses: dict[str, str] = Field(description="Segment to IPv4 address; empty where not declared.")
    healthy: bool
    state: str = Field(description="In words; `missing` when there is no such container.")
    since: str | None = Field(default=None, description="Start of a service, end of a job; RFC 3339.")
    cpus: float | None = Field(default=None, description="Cores in use; null when it does not run.")
    memory_bytes: int | None = Field(default=None, description="Without file cache that the kernel can drop.")
    memory_limit_bytes: int | None = None


class BackupJob(Entry):
    """The newest run of a job of the backup."""

    result: str = Field(description="`ok`, `partial`, `failed`, `late`, `running` or `none`.")
    at: Moment | None = Field(description="End of the run, RFC 3339; null before the first.")
    schedule: str = Field(description="Five cron fields, UTC.")
    text: str


class Backup(Entry):
    """The newest run of the backup."""

    result: str = Field(description="The worst of the jobs.")
    at: Moment = Field(description="End of the run that ended last, RFC 3339.")
    text: str
    jobs: dict[str, BackupJob] = Field(default={}, description="By name.")
    not_saved: list[str] = Field(default=[], description="Sources that no job saves.")


class LastDrill(Entry):
    """The newest drill: of the stack's own service, or of `make drill` in this clone."""

    result: str = Field(description="`passed`, `failed`, `stale` or `waiting`: the first one is not due yet.")
    at: Moment | None = Field(description="Its end, RFC 3339; null when there was none yet.")
    text: str
    by: Literal["service", "make drill"] = "service"
    rpo_s: float | None = Field(default=None, description="Age of the restored rows when it began, seconds.")
    rto_s: float | None = Field(default=None, description="From its start until all of it was compared.")
    objects: int | None = Field(default=None, description="Objects that were compared.")
    rows: int | None = Field(default=None, description="Rows that were compared, out of the dumps.")
    models: int | None = Field(default=None, description="Models whose answers (`make drill`) or files were.")
    different: int | None = Field(default=None, description="Objects, tables and models that differ.")


class Job(Entry):
    """A job that waits or runs, or one of those that ended last."""

    name: str
    id: str
    state: str = Field(description="`waiting`, `pending`, `running`, `succeeded`, `failed` or `stopped`.")
    ranks: int | None = Field(description="Null for a job that came by other means than `make submit`.")
    each: str = Field(description="What one rank takes, in words.")
    submitted: str | None = Field(description="RFC 3339.")
    waits_for: str = Field(description="In words; empty where it does not wait.")


class LastAudit(Entry):
    """The newest `make audit` of this clone."""

    result: Literal["passed", "failed"]
    at: str = Field(description="Its end, RFC 3339.")
    text: str
    failed: list[str] = Field(description="Names of the checks that failed.")


class LastBenchmark(Entry):
    """The newest complete `make bench` of this clone."""

    result: Literal["passed", "failed"] = Field(description="`failed` where a verdict is `fail`.")
    at: str = Field(description="Its end, RFC 3339.")
    text: str
    run: str = Field(description="As `make runs` lists it.")
    tier: str
    verdicts: dict[str, int] = Field(description="Verdict to the number of those.")
    failed: list[str] = Field(description="Names of the verdicts that are `fail`.")


class Disk(Entry):
    """The file system on which the engine keeps the containers and volumes."""

    total_bytes: int
    free_bytes: int = Field(description="For others than root.")


class Status(Entry):
    """What `aidc status --json` prints."""

    schema_: Literal["aidc.status/1"] = Field(alias="schema")
    stack: str
    healthy: bool = Field(description="Every service is healthy, and the deployed inventory is known.")
    services: list[Service]
    endpoints: dict[str, str | None] = Field(description="Name to URL; null for one that is off.")
    alerts: list[Alert] | None = Field(
        default=None, description="Alerts that fire or are about to; null when monitoring cannot be asked."
    )
    last_backup: Backup | None = Field(description="Null when no backup has run yet.")
    undeclared_buckets: list[str] = Field(
        default=[], description="Buckets of the store that nobody declares: not usable, not backed up."
    )
    last_drill: LastDrill | None = Field(default=None, description="Null when no drill service runs.")
    jobs: list[Job] | None = Field(
        default=None,
        description="Those that have not ended, then the last that have; null where Ray is silent.",
    )
    nodes: list[NodeVerdict] = Field(default=[], description="The newest verdict on each compute node.")
    last_audit: LastAudit | None = Field(default=None, description="Null where none was made here.")
    last_benchmark: LastBenchmark | None = Field(default=None, description="Null where none was made here.")
    refused: dict[str, int] | None = Field(
        default=None,
        description="Packets that the firewall has refused since its rules were loaded: `all`, `to host`, "
        "and by both ends, as `from compute` and `to vault`; null where the firewall does not say.",
    )
    disk: Disk | None = Field(default=None, description="Null where it cannot be read.")
    remark: str | None = Field(description="What is happening to the stack, if anything.")
    unknown: dict[str, str] = Field(
        default={}, description="Part of this document that could not be read → why; its value says nothing."
    )
