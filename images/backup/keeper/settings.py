"""Where things are in the container, and the limits that it was given."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
class Settings:
    """`limits` maps `staging` and `vault` to bytes; `dump_hours` is the time between two dumps."""

    store: Place
    schedule: str
    limits: dict[str, int]
    buckets: tuple[str, ...]
    databases: tuple[str, ...] = ()
    dump_hours: float = 1


def load() -> Settings:
    found: dict[str, Any] = json.loads((FILES / "backup.json").read_text())
    buckets = tuple((FILES / "buckets").read_text().split())
    databases = tuple(found.get("databases", ()))
    place = Place(
        found["endpoint"], found.get("region", Place.region), found.get("authority", Place.authority)
    )
    return Settings(place, found["schedule"], found["limits"], buckets, databases, found["dump_hours"])


def repository() -> str:
    """The repository's address, with the writer's password."""
    return (FILES / "repository").read_text().strip()
