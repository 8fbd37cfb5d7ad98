"""What monitoring reads of backups and drills."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from images.backup.keeper.proving import metrics

RUN: dict[str, Any] = {
    "started": "2026-01-31T12:00:00+00:00",
    "finished": "2026-01-31T12:01:30+00:00",
    "objects": 7,
    "bytes": 70,
    "unreadable": 2,
    "unreadable_databases": [{"name": "tracking"}],
    "usage": {"vault": 900},
}


def parsed(lines: Any) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def report(**jobs: Any) -> dict[str, Any]:
    return {"jobs": {name: {"state": state, "run": run} for name, (state, run) in jobs.items()}}


def test_the_newest_run_of_each_job_is_told_with_its_state() -> None:
    found = parsed(metrics.of_backup(report(nightly=("partial", RUN), rows=("ok", RUN))))
    assert found["aidc_backup_state", "nightly", "partial"] == 1
    assert found["aidc_backup_state", "rows", "partial"] == 0
    assert sum(value for name, value in found.items() if name[0] == "aidc_backup_state") == 2
    assert found["aidc_backup_duration_seconds", "nightly"] == 90
    assert found["aidc_backup_unreadable_objects", "rows"] == 2
    assert found["aidc_backup_unreadable_databases", "nightly"] == 1
    assert found["aidc_backup_vault_bytes", "nightly"] == 900
    assert ("aidc_backup_staging_bytes", "nightly") not in found


def test_a_job_without_a_run_tells_only_its_state() -> None:
    found = parsed(metrics.of_backup(report(nightly=("none", None))))
    assert {name for name, *_ in found} == {"aidc_backup_state"}


def test_a_drill_is_told_with_its_state_and_duration() -> None:
    run = {"finished": "2026-01-31T12:01:30+00:00", "seconds": 4.5}
    found = parsed(metrics.of_drill({"run": run}, "stale"))
    assert found["aidc_drill_state", "stale"] == 1
    assert found["aidc_drill_duration_seconds",] == 4.5
