"""Where things are in the container, its jobs, and the limits that it was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = Path("/etc/aidc")
STAGING = Path("/staging")
STATUS = Path("/tmp/status.json")
LOCK = Path("/tmp/lock")
CA = str(FILES / "ca.crt")
PASSWORD = str(FILES / "repository-password")
PASSWORD_BEFORE = str(FILES / "repository-password-before")


@dataclass(frozen=True)
class Place:
    """Where the object store is, and the file with the authority of its certificate."""

    endpoint: str
    region: str = "us-east-1"
    authority: str = CA


@dataclass(frozen=True)
class Job:
    """What one job saves, and when; `log`: the database's own archive, one of the buckets, is among it."""

    name: str
    schedule: str
    buckets: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    log: bool = False
    configuration: bool = False


@dataclass(frozen=True)
class Settings:
    """`limits` maps `staging` and `vault` to bytes; `dump_hours` is the time between two dumps.

    `initial` maps a database to its tables that a service fills by itself, with how many rows at most;
    `unsaved` is what no job saves, for people.
    """

    store: Place
    limits: dict[str, int]
    jobs: tuple[Job, ...]
    dump_hours: float = 1
    initial: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unsaved: tuple[str, ...] = ()

    def job(self, name: str) -> Job:
        """Raises KeyError."""
        return {job.name: job for job in self.jobs}[name]


def load() -> Settings:
    return of(json.loads((FILES / "backup.json").read_text()))


def of(found: Mapping[str, Any]) -> Settings:
    """The settings in the file's content."""
    place = Place(
        found["endpoint"], found.get("region", Place.region), found.get("authority", Place.authority)
    )
    return Settings(
        place,
        found["limits"],
        tuple(_job(name, told) for name, told in found["jobs"].items()),
        found["dump_hours"],
        found["initial"],
        tuple(found["unsaved"]),
    )


def _job(name: str, told: Mapping[str, Any]) -> Job:
    buckets, databases = tuple(told["buckets"]), tuple(told["databases"])
    return Job(name, told["schedule"], buckets, databases, told["log"], told["configuration"])


def repository() -> str:
    """The repository's address, with the writer's password."""
    return (FILES / "repository").read_text().strip()
