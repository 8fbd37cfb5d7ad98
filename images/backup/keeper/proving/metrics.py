"""The state of backups, by job, and of drills as Prometheus reads it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

from ..core import status
from . import trial


def of_backup(report: Mapping[str, Any]) -> Iterator[str]:
    """`report` is what `backup status` prints; figures of a run that was never made are left out."""
    jobs: Mapping[str, Mapping[str, Any]] = report["jobs"]
    yield from _head("aidc_backup_state", "The newest backup of each job, 1 for its state.")
    for job, found in jobs.items():
        for kind in get_args(status.State):
            labels = f'job="{job}",state="{kind}"'
            yield f"aidc_backup_state{{{labels}}} {int(kind == found['state'])}"
    runs = {job: found["run"] for job, found in jobs.items() if found["run"]}
    for name, (text, value) in FIGURES.items():
        values = {job: value(run) for job, run in runs.items()}
        known = {job: number for job, number in values.items() if number is not None}
        if known:
            yield from _head(f"aidc_backup_{name}", text)
            yield from (f'aidc_backup_{name}{{job="{job}"}} {number}' for job, number in known.items())


def of_drill(found: Mapping[str, Any] | None, state: str) -> Iterator[str]:
    """`found` is the record of the drill's service."""
    yield from _states("aidc_drill_state", "The newest restore drill, 1 for its state.", state, trial.State)
    if run := (found or {}).get("run"):
        yield from _gauge(
            "aidc_drill_finished_timestamp_seconds", "End of the newest.", _seconds(run["finished"])
        )
        yield from _gauge("aidc_drill_duration_seconds", "Until all of it was compared.", run["seconds"])


def of_prune(found: Mapping[str, Any]) -> Iterator[str]:
    """`found` is the record of the pruner."""
    succeeded = int(found["result"] == "ok")
    yield from _gauge("aidc_prune_ok", "1: the newest pruning of the vault succeeded.", succeeded)
    if found.get("finished"):
        yield from _gauge("aidc_prune_finished_timestamp_seconds", "Its end.", _seconds(found["finished"]))


def _head(name: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"


def _states(name: str, text: str, state: str, kinds: Any) -> Iterator[str]:
    yield from _head(name, text)
    yield from (f'{name}{{state="{kind}"}} {int(kind == state)}' for kind in get_args(kinds))


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    yield from _head(name, text)
    yield f"{name} {value}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


Run = Mapping[str, Any]
FIGURES: Mapping[str, tuple[str, Callable[[Run], float | None]]] = {
    "finished_timestamp_seconds": ("End of the newest run.", lambda run: _seconds(run["finished"])),
    "duration_seconds": (
        "Of the newest run.",
        lambda run: _seconds(run["finished"]) - _seconds(run["started"]),
    ),
    "objects": ("Objects that the store listed.", lambda run: run["objects"]),
    "bytes": ("Bytes of these objects.", lambda run: run["bytes"]),
    "unreadable_objects": ("Objects that could not be read.", lambda run: run["unreadable"]),
    "unreadable_databases": (
        "Databases that could not be read.",
        lambda run: len(run["unreadable_databases"]),
    ),
    "vault_bytes": ("Bytes in the vault.", lambda run: run["usage"].get("vault")),
    "staging_bytes": ("Bytes of the local copies.", lambda run: run["usage"].get("staging")),
}
