"""What the stack said of its backup and its newest restore drill when the run began."""

from __future__ import annotations

from benchmark.core.document import Part


class LastBackup(Part):
    """`age_s`: from its end until the run began."""

    result: str
    at: str
    text: str
    age_s: float


class LastDrill(Part):
    """`result`: passed, failed, stale, or waiting for the first one. Null: none was made, or not told."""

    result: str
    at: str | None
    text: str
    by: str | None = None
    age_s: float | None = None
    rpo_s: float | None = None
    rto_s: float | None = None
    objects: int | None = None
    rows: int | None = None
    models: int | None = None
    different: int | None = None


class Restorable(Part):
    """`asked`: when; `problem`: why the stack's status could not be read."""

    asked: str
    problem: str | None = None
    backup: LastBackup | None = None
    drill: LastDrill | None = None
