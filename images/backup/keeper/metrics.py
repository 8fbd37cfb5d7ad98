"""The state of backups and drills as Prometheus reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, get_args

from . import status, trial


def of_backup(found: Mapping[str, Any] | None, state: str) -> Iterator[str]:
    """`found` is the status document; figures of a run that was never made are left out."""
    yield from _states("aidc_backup_state", "The newest backup, 1 for its state.", state, status.State)
    run = (found or {}).get("run")
    if not run:
        return
    figures: Mapping[str, tuple[str, float | None]] = {
        "finished_timestamp_seconds": ("End of the newest run.", _seconds(run["finished"])),
        "duration_seconds": ("Of the newest run.", _seconds(run["finished"]) - _seconds(run["started"])),
        "objects": ("Objects that the store listed.", run["objects"]),
        "bytes": ("Bytes of these objects.", run["bytes"]),
        "unreadable_objects": ("Objects that could not be read.", run["unreadable"]),
        "unreadable_databases": ("Databases that could not be read.", len(run["unreadable_databases"])),
        "vault_bytes": ("Bytes in the vault.", run["usage"].get("vault")),
        "staging_bytes": ("Bytes of the local copy.", run["usage"].get("staging")),
    }
    for name, (text, value) in figures.items():
        if value is not None:
            yield from _gauge(f"aidc_backup_{name}", text, value)


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


def _states(name: str, text: str, state: str, kinds: Any) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield from (f'{name}{{state="{kind}"}} {int(kind == state)}' for kind in get_args(kinds))


def _gauge(name: str, text: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {value}"


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
