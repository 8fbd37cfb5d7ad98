"""What a restore is about: buckets and databases by name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.planning.issues import Issue, suggest

BUCKET, DATABASE = "bucket/", "database/"


@dataclass(frozen=True)
class Sources:
    """Names of buckets and of databases."""

    buckets: tuple[str, ...]
    databases: tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        return (
            *(f"{BUCKET}{name}" for name in self.buckets),
            *(f"{DATABASE}{name}" for name in self.databases),
        )


def chosen(asked: str | None, declared: Sources) -> tuple[Sources, list[Issue]]:
    """What `asked` names, separated by commas, in the declared order; everything without it.

    A name is `bucket/NAME`, `database/NAME`, `buckets`, `databases` or `everything`.
    """
    groups = {
        "everything": declared.names(),
        "buckets": Sources(declared.buckets, ()).names(),
        "databases": Sources((), declared.databases).names(),
    }
    names = [name.strip() for name in (asked or "everything").split(",") if name.strip()]
    wanted: set[str] = set()
    issues = []
    for name in names:
        if name not in groups and name not in declared.names():
            issues.append(_unknown(name, declared, tuple(groups)))
        wanted |= set(groups.get(name, (name,)))
    if not names:
        issues.append(Issue("SOURCES", "is empty", "leave it out for everything"))
    buckets = tuple(name for name in declared.buckets if BUCKET + name in wanted)
    databases = tuple(name for name in declared.databases if DATABASE + name in wanted)
    return Sources(buckets, databases), issues


def _unknown(name: str, declared: Sources, groups: Sequence[str]) -> Issue:
    kinds = [source for source in declared.names() if source.partition("/")[2] == name]
    if kinds:
        return Issue(f"SOURCES {name}", "could be a bucket or a database", f"write {' or '.join(kinds)}")
    known = (*groups, *declared.names())
    return Issue(
        f"SOURCES {name}", "is not in the backup", suggest(name, known, f"known: {', '.join(known)}")
    )
