"""What each backup job saves of this stack, and what no job saves. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from components.planning import buckets
from components.planning.config import DATACENTER, StackConfig
from components.planning.databases import DATABASES
from components.planning.issues import Issue, suggest
from components.planning.jobs import DEFAULT, Job, Retention, Sources

PATH = f"{DATACENTER}.backup.jobs"
LOG, CONFIGURATION = "the database's log", "the configuration"


@dataclass(frozen=True)
class Saving:
    """A job with every name that its sources stand for; `log`: the database's own archive is among them."""

    name: str
    schedule: str
    retention: Retention
    buckets: tuple[str, ...]
    databases: tuple[str, ...]
    log: bool
    configuration: bool

    @property
    def effect(self) -> tuple[object, ...]:
        """Two jobs with the same one do the same thing twice."""
        return (
            frozenset(self.buckets),
            frozenset(self.databases),
            self.log,
            self.configuration,
            self.schedule,
        )


def jobs(config: StackConfig) -> tuple[Saving, ...]:
    """The declared jobs; without any, one that saves everything."""
    declared = config.backup.jobs or {DEFAULT: Job(sources=Sources(all=True))}
    return tuple(_saving(name, job, config) for name, job in declared.items())


def _saving(name: str, job: Job, config: StackConfig) -> Saving:
    wanted, backup = job.sources, config.backup
    names = set(wanted.buckets)
    names |= {buckets.DATABASE} if wanted.database else set()
    names |= {buckets.TRACKING} if wanted.tracking else set()
    known = [bucket.name for bucket in config.object_store.declared()]
    # Both databases of the stack are MLflow's.
    databases = wanted.all or wanted.database or wanted.tracking
    return Saving(
        name,
        job.schedule or backup.schedule,
        job.retention.over(backup.retention),
        tuple(bucket for bucket in known if wanted.all or bucket in names),
        tuple(database.name for database in DATABASES) if databases else (),
        wanted.all or wanted.database,
        wanted.all or wanted.configuration,
    )


def unsaved_buckets(config: StackConfig) -> tuple[str, ...]:
    """Declared buckets that no job saves; without its archive the database is not restored to a time."""
    saved = {bucket for job in jobs(config) for bucket in job.buckets}
    return tuple(b.name for b in config.object_store.declared() if b.name not in saved)


def unsaved(config: StackConfig) -> tuple[str, ...]:
    """All that no job saves, as a user reads it."""
    found = jobs(config)
    databases = {database for job in found for database in job.databases}
    own = (name for name in unsaved_buckets(config) if name != buckets.DATABASE)
    return (
        *(f"bucket/{name}" for name in own),
        *(f"database/{d.name}" for d in DATABASES if d.name not in databases),
        *([] if any(job.log for job in found) else [LOG]),
        *([] if any(job.configuration for job in found) else [CONFIGURATION]),
    )


def warning(config: StackConfig) -> str | None:
    """What to tell of that; None when everything is saved."""
    left_out = unsaved(config)
    return f"{PATH}: no job saves {', '.join(left_out)}" if left_out else None


def issues(config: StackConfig) -> Iterator[Issue]:
    """Mistakes that need more than one key of a job."""
    known = [bucket.name for bucket in config.object_store.declared()]
    own = [name for name in known if name not in buckets.SYSTEM]
    for name, job in config.backup.jobs.items():
        for index, bucket in enumerate(job.sources.buckets):
            where = f"{PATH}.{name}.sources.buckets[{index}]"
            if bucket in buckets.SYSTEM:
                fault = f"{bucket!r} is the bucket of one of the stack's own services"
                yield Issue(where, fault, f"write `{bucket}: true` beside buckets")
            elif bucket not in own:
                fix = suggest(bucket, own, f"known buckets: {', '.join(own)}")
                yield Issue(where, f"there is no bucket {bucket!r:.80} in object_store.buckets", fix)
    first: dict[tuple[object, ...], str] = {}
    for saving in jobs(config):
        other = first.setdefault(saving.effect, saving.name)
        if other != saving.name:
            yield Issue(
                f"{PATH}.{saving.name}",
                f"saves the same as {other}, at the same times",
                "remove one of them, or give it other sources or another schedule",
            )
