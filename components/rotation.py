"""What of a stack can be rotated, what that costs, and how often it has been done. Pure.

`aidc:generations` maps a name to how many values it has had; what is not listed is in its first generation,
so that a stack that was never rotated derives what it always derived.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from components.config import ConfigError, Issue

GENERATIONS, RENEWED = "aidc:generations", "aidc:renewed"


@dataclass(frozen=True)
class Rotatable:
    """`cost` is what services and users notice. What ends jobs is done on request only."""

    cost: str
    ends_jobs: bool = False


ROTATABLE: Mapping[str, Rotatable] = {
    "certificates": Rotatable(
        "new keys and certificates, valid from today; load balancer and vault reload, nothing fails"
    ),
    "authority": Rotatable(
        "a new CA and new certificates; object store nodes restart one by one: single S3 requests may need "
        "a second try; clients trust this CA already, and need ca.pem again before the next one"
    ),
    "inference/token": Rotatable("clients outside need the new token at once"),
    "s3/root": Rotatable("object store nodes restart together: S3 answers 503 for up to half a minute"),
    "s3/client": Rotatable("clients outside need the new id and key at once"),
    "s3/backup": Rotatable("nothing; a backup that runs meanwhile fails and is made again"),
    "vault/writer": Rotatable("nothing; a backup that runs meanwhile fails and is made again"),
    "vault/repository": Rotatable("nothing; a second key opens the repository, then the first is revoked"),
    "s3/compute": Rotatable("jobs that run keep the old id and fail when they next use S3", ends_jobs=True),
    "ray/token": Rotatable("head and nodes are replaced: jobs and served models end", ends_jobs=True),
}
# Name → why it stays, and what to do instead.
FIXED: Mapping[str, tuple[str, str]] = {
    "s3/encryption": (
        "it encrypts every object's own key: with another one no stored object could be read",
        "bring up a stack of another name, copy the buckets over, and destroy this one with its data",
    ),
}


@dataclass(frozen=True)
class Generations:
    """How often each name has been rotated, and two dates.

    `issued` is the day from which the stack's CAs are valid, `renewed` that of its other certificates.
    """

    issued: date
    renewed: date
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """1 for what was never rotated."""
        return self.counts.get(name, 1)

    def before(self, name: str) -> int:
        """The generation before, or 1."""
        return max(1, self.of(name) - 1)


def read(counts: object, issued: str, renewed: str | None) -> Generations:
    """Generations from configuration values. Raises ConfigError with every mistake."""
    found = issues(counts, renewed)
    if found:
        raise ConfigError(found)
    start = date.fromisoformat(issued)
    numbers = dict(counts) if isinstance(counts, Mapping) else {}
    return Generations(start, date.fromisoformat(renewed) if renewed else start, numbers)


def issues(counts: object, renewed: object) -> list[Issue]:
    """Every mistake in the two configuration values; None stands for an absent one."""
    found = []
    if counts is not None and not isinstance(counts, Mapping):
        found.append(Issue(f"config.{GENERATIONS}", "is no mapping", "write `name: number`, or remove it"))
    for name, number in counts.items() if isinstance(counts, Mapping) else ():
        path = f"config.{GENERATIONS}.{name}"
        if name not in ROTATABLE:
            found.append(unknown(str(name), path))
        elif isinstance(number, bool) or not isinstance(number, int) or number < 1:
            found.append(Issue(path, f"{number!r} is no generation", "write a whole number from 1 on"))
    try:
        if renewed is not None:
            date.fromisoformat(str(renewed) if isinstance(renewed, str) else "")
    except ValueError:
        fix = 'write a day in quotes, "2026-01-31", or remove it'
        found.append(Issue(f"config.{RENEWED}", "is no date in quotes", fix))
    return found


def unknown(name: str, path: str) -> Issue:
    """The issue of a name that cannot be rotated: a misspelt one, or one that has to stay."""
    if name in FIXED:
        reason, fix = FIXED[name]
        return Issue(path, f"cannot be rotated: {reason}", fix)
    close = difflib.get_close_matches(name, ROTATABLE, n=1)
    fix = (f"did you mean {close[0]!r}? " if close else "") + f"names: {', '.join(ROTATABLE)}"
    return Issue(path, "is nothing that can be rotated", fix)
