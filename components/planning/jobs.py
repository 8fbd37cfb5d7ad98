"""Backup jobs as the YAML declares them: what each saves, when, and how long that is kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.planning import cron
from components.planning.fields import Model, once

MOST = 32
# The job of a file that declares none.
DEFAULT = "everything"
WORDS = ("all", "database", "tracking", "configuration")
SOURCES_FIX = "write all, or what to save: {buckets: [datasets], database: true}"

Cron = Annotated[str, Field(strict=True), AfterValidator(cron.check)]
Kept = Annotated[int, Field(ge=0, le=1000, strict=True)]
Chosen = Annotated[bool, Field(strict=True)]


def _job_name(value: str) -> str:
    # It becomes a tag of each snapshot, and a label of each metric.
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", value):
        raise ValueError(f"{value!r:.60} may contain only lower-case letters, digits and inner hyphens")
    return value


JobName = Annotated[str, Field(min_length=1, max_length=20), AfterValidator(_job_name)]


class Retention(Model):
    """The newest snapshot of each of the last hours, days, weeks and months that have one is kept.

    A complete snapshot is preferred to a partial one; the newest one and the newest complete one always stay.
    """

    hourly: Kept = 24
    """How many hours."""
    daily: Kept = 7
    """How many days."""
    weekly: Kept = 5
    """How many weeks."""
    monthly: Kept = 12
    """How many months."""


class JobRetention(Model):
    """How many of this job's snapshots are kept; what is left out is as in `backup.retention`."""

    hourly: Kept | None = None
    """How many hours."""
    daily: Kept | None = None
    """How many days."""
    weekly: Kept | None = None
    """How many weeks."""
    monthly: Kept | None = None
    """How many months."""

    def over(self, default: Retention) -> Retention:
        """These numbers, and those of `default` where none is given."""
        return default.model_copy(update=self.model_dump(exclude_none=True))


class Sources(Model):
    """What a job saves. One word stands for one of them: `sources: all`; a list of words for several."""

    all: Chosen = False
    """Every bucket, every database with its log, and the configuration."""
    buckets: Annotated[tuple[str, ...], AfterValidator(once)] = ()
    """Buckets of `object_store.buckets` by name."""
    database: Chosen = False
    """A dump of every database, and the archive from which they are restored to any second."""
    tracking: Chosen = False
    """MLflow: dumps of its databases, made in each run, and its bucket."""
    configuration: Chosen = False
    """The stack's file and Pulumi's state, their secrets encrypted."""

    @model_validator(mode="after")
    def _something(self) -> Sources:
        others = [name for name in ("buckets", *WORDS[1:]) if getattr(self, name)]
        if self.all and others:
            raise ValueError(f"all holds {', '.join(others)} already: write one or the other")
        if not self.all and not others:
            raise ValueError("names nothing to save")
        return self


def _as_mapping(value: object) -> object:
    """`all` and `[database, {buckets: [datasets]}]` in the form of the mapping that they mean."""
    if isinstance(value, str):
        return {value: True}
    if not isinstance(value, list | tuple):
        return value
    merged: dict[Any, Any] = {}
    for entry in value:
        given = {entry: True} if isinstance(entry, str) else entry
        if not isinstance(given, Mapping):
            raise ValueError(f"{entry!r:.60} is nothing that can be saved")
        if twice := sorted(str(name) for name in merged.keys() & given.keys()):
            raise ValueError(f"names {', '.join(twice)} more than once")
        merged |= given
    return merged


class Job(Model):
    """A job of the backup: its snapshots are a series of their own, with their own retention."""

    sources: Annotated[Sources, BeforeValidator(_as_mapping)]
    schedule: Cron | None = None
    """Five cron fields, UTC; `null` stands for `backup.schedule`."""
    retention: JobRetention = JobRetention()


Jobs = Annotated[dict[JobName, Job], Field(max_length=MOST)]
