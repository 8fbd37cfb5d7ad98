"""The rotatable secrets of a stack, what rotating them costs, and how often it has been done. Pure.

`aidc:generations` maps a name to its number of values so far; unlisted names are in their first generation,
so that the secrets of a stack that was never rotated do not change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from components.planning.issues import ConfigError, Issue, suggest

GENERATIONS, RENEWED, ISSUED = "aidc:generations", "aidc:renewed", "aidc:issued"
# No stack is older, and nobody rotates that often: values beyond are typing errors.
EARLIEST, MOST = date(2025, 1, 1), 1_000_000


@dataclass(frozen=True)
class Rotatable:
    """`cost` is what services and users notice. Rotations that end jobs happen on request only."""

    cost: str
    ends_jobs: bool = False


ROTATABLE: Mapping[str, Rotatable] = {
    "certificates": Rotatable(
        "new keys and certificates, valid from today; load balancer and vault reload without interruption"
    ),
    "authority": Rotatable(
        "a new CA and new certificates; object store nodes restart one by one: single S3 requests may need "
        "a second try; clients trust this CA already, and need ca.pem again before the next one"
    ),
    "inference/token": Rotatable("external clients need the new token at once"),
    "s3/root": Rotatable("object store nodes restart together: S3 answers 503 for up to half a minute"),
    "s3/client": Rotatable("external clients need the new id and key at once"),
    "s3/backup": Rotatable("nothing; a backup that is running fails and is repeated"),
    "s3/database": Rotatable("the database's log waits until it has the new key"),
    "database/backup": Rotatable("nothing; a backup that is running fails and is repeated"),
    "database/monitor": Rotatable("nothing; open sessions stay, new ones need the new password"),
    "database/tracking_app": Rotatable("nothing; open sessions stay, new ones need the new password"),
    "database/tracking_owner": Rotatable("nothing; open sessions stay, new ones need the new password"),
    "database/tracking_auth_app": Rotatable("nothing; open sessions stay, new ones need the new password"),
    "database/tracking_auth_owner": Rotatable("nothing; open sessions stay, new ones need the new password"),
    "tracking/admin": Rotatable("people and programs that log in to tracking need the new password at once"),
    "tracking/benchmark": Rotatable("clients that record runs need the new password at once"),
    "monitoring/viewer": Rotatable("people and programs that look at metrics need the new password at once"),
    "monitoring/alerts": Rotatable("nothing; an alert that is refused is handed over again"),
    "monitoring/home": Rotatable("nothing; the front door reads figures with the new one within seconds"),
    "logs/reader": Rotatable("people and programs that search the logs need the new password at once"),
    "s3/monitor": Rotatable("metrics of the object store are missing for some seconds"),
    "tracking/jobs": Rotatable("running jobs record again as soon as they log in again"),
    "s3/tracking": Rotatable("the tracking server restarts: it answers 503 for some seconds"),
    "vault/writer": Rotatable("nothing; a backup that is running fails and is repeated"),
    "vault/repository": Rotatable("nothing; a second key opens the repository, then the first is revoked"),
    "s3/compute": Rotatable("running jobs keep the old id and fail when they next use S3", ends_jobs=True),
    "ray/token": Rotatable("head and nodes are replaced: jobs and served models end", ends_jobs=True),
}
# Name → why it cannot be rotated, and what to do instead.
FIXED: Mapping[str, tuple[str, str]] = {
    "s3/encryption": (
        "it encrypts the key of every object: with a new one no stored object could be read",
        "bring up a stack of another name, copy the buckets over, and destroy this one with its data",
    ),
    "database/repository": (
        "it encrypts the archive of the database: with a new one no base backup could be restored",
        "bring up a stack of another name, restore the database there, and destroy this one with its data",
    ),
}


@dataclass(frozen=True)
class Generations:
    """The current generation of each name, and two dates.

    `issued` is the day from which the stack's CAs are valid, `renewed` that of its other certificates.
    """

    issued: date
    renewed: date
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """1 for a name that was never rotated."""
        return self.counts.get(name, 1)

    def before(self, name: str) -> int:
        """The generation before, or 1."""
        return max(1, self.of(name) - 1)


def read(counts: object, issued: str, renewed: str | None) -> Generations:
    """Generations from configuration values. Raises ConfigError with every mistake."""
    found = issues(counts, renewed, issued or None)
    if found:
        raise ConfigError(found)
    start = date.fromisoformat(issued)
    numbers = dict(counts) if isinstance(counts, Mapping) else {}
    return Generations(start, date.fromisoformat(renewed) if renewed else start, numbers)


def issues(counts: object, renewed: object, issued: object = "") -> list[Issue]:
    """Every mistake in the configuration values.

    None stands for absent `counts` or `renewed`, an empty text for an `issued` that is still to be written.
    """
    found = []
    if counts is not None and not isinstance(counts, Mapping):
        found.append(Issue(f"config.{GENERATIONS}", "is not a mapping", "write `name: number`, or remove it"))
    for name, number in counts.items() if isinstance(counts, Mapping) else ():
        path = f"config.{GENERATIONS}.{name}"
        if name not in ROTATABLE:
            found.append(unknown(str(name), path))
        elif isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
            found.append(
                Issue(path, f"{number!r:.40} is not a valid generation", "write a whole number, 1 or more")
            )
    start, faults = (None, []) if issued == "" else _day(ISSUED, issued)
    found += faults
    if renewed is not None:
        again, faults = _day(RENEWED, renewed)
        found += faults
        if start and again and again < start:
            fault = f"{again} is before {ISSUED} ({start})"
            found.append(Issue(f"config.{RENEWED}", fault, "correct the day, or remove it"))
    return found


def _day(key: str, value: object) -> tuple[date | None, list[Issue]]:
    """A day in ISO form on which certificates can begin: not before this program, and not in the future."""
    path, fix = (
        f"config.{key}",
        'write a day in quotes, "2026-01-31"' + (", or remove it" if key == RENEWED else ""),
    )
    try:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        day = date.fromisoformat(value)
    except ValueError:
        return None, [Issue(path, "is not a date in quotes", fix)]
    if day > datetime.now(UTC).date():
        return None, [Issue(path, f"{day} is in the future: no certificate would be valid yet", fix)]
    if day < EARLIEST:
        return None, [Issue(path, f"{day} is before {EARLIEST}", fix)]
    return day, []


def unknown(name: str, path: str) -> Issue:
    """The issue for a name that cannot be rotated: a misspelt one, or one that must not change."""
    if name in FIXED:
        reason, fix = FIXED[name]
        return Issue(path, f"cannot be rotated: {reason}", fix)
    names = f"names: {', '.join(ROTATABLE)}"
    near = suggest(name, ROTATABLE, "")
    return Issue(path, "is not something that can be rotated", f"{near} {names}" if near else names)
