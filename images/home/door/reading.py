"""From what the metrics and the workstation have told to a status, the document of `make status`. Pure.

What is not known is said to be so, and is never healthy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from operations.front import alerts
from operations.front.told import Told
from operations.output import ago, count, size
from operations.status_document import Backup, BackupJob, Disk, LastDrill, Service, Status

from .figures import Figures, read
from .settings import Stack
from .source import Answer

# A job that prepares a service and ends: what it prepared is seen at that service.
SETUP = "-setup"
# Nothing but the backup reaches it.
VAULT = "vault"
# This one answers, or there would be no page.
SELF = "home"
# Seconds without new figures, after which a service counts as silent; as in the alert ReadingsStale.
SILENT = 300
UNKNOWN = "not known"
JOBS = "this page has no token for Ray; `make status` and `make jobs` tell it, and Ray's own page shows them"
JOBS_FRESH = timedelta(minutes=1)
# States of a backup, the worst first.
WORST = ("failed", "late", "none", "running", "partial", "ok")
# Part of the document → the figure without which it is not known.
NEEDS = {"refused": "refused", "disk": "disk-free", "last_backup": "backup", "last_drill": "drill"}


@dataclass(frozen=True)
class Heard:
    """What came from the sources. `figures` and `alerts` are answers of the metrics service."""

    figures: Answer
    alerts: Answer
    told: Told


def status(stack: Stack, heard: Heard, now: datetime) -> Status:
    """The document; a source that gives no answer now tells nothing of now."""
    unknown: dict[str, str] = {}
    figures = _figures(heard.figures, now, unknown)
    firing = alerts.read(heard.alerts.text or "") if not heard.alerts.fault else None
    if firing is None:
        unknown["alerts"] = why(heard.alerts, now)
    rows = [
        service(stack.name, name, role, figures=figures, why_unknown=unknown.get("services", ""), now=now)
        for name, role in stack.services
        if not role.endswith(SETUP)
    ]
    told = heard.told
    return Status(
        schema="aidc.status/1",
        stack=stack.name,
        healthy=all(row.healthy for row in rows),
        services=rows,
        endpoints=stack.endpoints,
        alerts=firing,
        last_backup=last_backup(figures) if figures else None,
        last_drill=last_drill(figures) if figures else None,
        jobs=told.jobs,
        # One that was taken out of the stack's file is no longer its node.
        nodes=[node for node in told.nodes if node.node in stack.computing],
        last_audit=told.last_audit,
        last_benchmark=told.last_benchmark,
        refused=refused(figures) if figures else None,
        disk=disk(figures) if figures else None,
        remark=None,
        unknown={**unknown, **dict(_untold(told, now))},
    )


def _figures(answer: Answer, now: datetime, unknown: dict[str, str]) -> Figures | None:
    """None, and the reasons in `unknown`, where there is no answer now."""
    found = None
    if not answer.fault:
        try:
            found = read(answer.text or "")
        except ValueError as error:
            answer = Answer(answer.text, answer.at, str(error))
    if found is None:
        reason = why(answer, now)
        unknown.update(dict.fromkeys(("services", *NEEDS), reason))
        return None
    for part, what in NEEDS.items():
        if found.one(what) is None:
            unknown[part] = "the metrics have no such figure of the last minutes"
    return found


def why(answer: Answer, now: datetime) -> str:
    """Why an answer is missing, and how long ago there was one."""
    last = (
        f"last answer {ago(datetime.fromtimestamp(answer.at, UTC), now)} ago"
        if answer.at
        else "no answer yet"
    )
    return f"the metrics service does not tell ({answer.fault or 'its answer cannot be read'}); {last}"


def _untold(told: Told, now: datetime) -> Iterator[tuple[str, str]]:
    """What no workstation has told, and what one has told a while ago."""
    if told.jobs is None or told.jobs_at is None:
        yield "jobs", JOBS
    elif (age := now - datetime.fromisoformat(told.jobs_at)) > JOBS_FRESH:
        yield "jobs", f"{JOBS}; below: as they were {ago(now - age, now)} ago"
    for part, by in (("last_audit", "make audit"), ("last_benchmark", "make bench"), ("nodes", "make node")):
        if not getattr(told, part):
            yield part, f"none was told yet; `{by}` does it"


def service(
    stack: str, name: str, role: str, *, figures: Figures | None, why_unknown: str, now: datetime
) -> Service:
    """A service as the metrics see it."""
    healthy, state = seen(name, role, figures, now) if figures else (None, why_unknown)
    if name == SELF:
        healthy, state = True, "answers"
    return Service(
        name=name,
        role=role,
        container=f"aidc-{stack}-{name}",
        addresses={},
        healthy=bool(healthy),
        state=state if healthy is not None else f"{UNKNOWN}: {state}",
    )


def seen(name: str, role: str, figures: Figures, now: datetime) -> tuple[bool | None, str]:
    """Whether it is well, None where nobody knows, and the words for it."""
    if role == VAULT:
        return vault(figures, now)
    up = figures.one("up", lambda labels: labels.get("service") == name)
    server = figures.one(
        "server", lambda labels: labels.get("server") == name and labels["proxy"] != "inference"
    )
    age = figures.one("age", lambda labels: labels.get("file", "").endswith(f"/{name}.prom"))
    if up == 0 or server == 0:
        return False, "does not answer: " + ("its metrics" if up == 0 else "the load balancer's check")
    if age is not None and age > SILENT:
        return False, f"silent: its health check has left no figures for {age:.0f} s"
    if up or server or age is not None:
        return True, "answers"
    return None, "no figures of it in the last minutes"


def vault(figures: Figures, now: datetime) -> tuple[bool | None, str]:
    """Nothing may ask the vault but the backup: it is as well as the newest backup found it."""
    backup = last_backup(figures)
    if backup is None:
        return None, "only the backup may ask it, and none has ended yet"
    age = ago(datetime.fromisoformat(backup.at), now)
    if backup.result in ("ok", "partial", "running"):
        return True, f"answers: it took the newest backup, {age} ago"
    return None, f"only the backup may ask it, and that is {backup.result}; the newest ended {age} ago"


def last_backup(figures: Figures) -> Backup | None:
    """None before the first run has ended."""
    jobs = {_job(row.labels): row.labels["state"] for row in figures.of("backup")}
    ends = {_job(row.labels): row.value for row in figures.of("backup-finished")}
    if not jobs or not ends:
        return None
    entries = {
        job: BackupJob(
            result=state,
            at=_moment(ends[job]) if job in ends else None,
            schedule="",
            text=_saved(figures, job) if job in ends else "no run has ended yet",
        )
        for job, state in jobs.items()
    }
    worst = min(jobs, key=lambda job: WORST.index(jobs[job]) if jobs[job] in WORST else -1)
    newest = max(ends, key=lambda job: ends[job])
    text = _saved(figures, newest)
    return Backup(result=jobs[worst], at=_moment(ends[newest]), text=text, jobs=entries)


def _saved(figures: Figures, job: str) -> str:
    def of(what: str) -> float:
        return figures.one(what, lambda labels: _job(labels) == job) or 0

    return f"{count(int(of('backup-objects')), 'object')}, {size(of('backup-bytes'))}"


def _job(labels: dict[str, str]) -> str:
    """The backup's job: the label `job` is that of the scrape."""
    return labels.get("exported_job") or labels.get("job", "")


def last_drill(figures: Figures) -> LastDrill | None:
    state = next((row.labels["state"] for row in figures.of("drill")), None)
    if state is None:
        return None
    ended, seconds = figures.one("drill-finished"), figures.one("drill-seconds")
    return LastDrill(
        result=state,
        at=_moment(ended) if ended else None,
        text=f"all of it was compared within {seconds:.0f} s" if seconds else "none has ended yet",
        rto_s=seconds,
    )


def refused(figures: Figures) -> dict[str, int] | None:
    """As the document has them: `all`, `to host`, then by both ends, the most first."""
    chains = {row.labels["chain"]: int(row.value) for row in figures.of("refused")}
    if not chains:
        return None
    ends = {
        f"{row.labels['way']} {row.labels['role'].replace('_', '-')}": int(row.value)
        for row in figures.of("dropped")
    }
    sums = {"all": sum(chains.values()), "to host": chains.get("input", 0)}
    return {**sums, **dict(sorted(ends.items(), key=lambda item: -item[1]))}


def disk(figures: Figures) -> Disk | None:
    free, total = figures.one("disk-free"), figures.one("disk-size")
    return Disk(total_bytes=int(total), free_bytes=int(free)) if free is not None and total else None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
