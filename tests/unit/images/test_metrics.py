"""What monitoring reads of backups and drills."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from images.backup.keeper import metrics

RUN: dict[str, Any] = {
    "started": "2026-01-31T12:00:00+00:00",
    "finished": "2026-01-31T12:01:30+00:00",
    "objects": 7,
    "bytes": 70,
    "unreadable": 2,
    "unreadable_databases": [{"name": "tracking"}],
    "usage": {"vault": 900},
}


def parsed(lines: Any) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    return {(s.name, s.labels.get("state", "")): s.value for family in families for s in family.samples}


def test_the_newest_run_is_told_with_its_state() -> None:
    found = parsed(metrics.of_backup({"run": RUN}, "partial"))
    assert found["aidc_backup_state", "partial"] == 1
    assert sum(value for (name, _), value in found.items() if name == "aidc_backup_state") == 1
    assert found["aidc_backup_duration_seconds", ""] == 90
    assert found["aidc_backup_unreadable_objects", ""] == 2
    assert found["aidc_backup_unreadable_databases", ""] == 1
    assert found["aidc_backup_vault_bytes", ""] == 900
    assert ("aidc_backup_staging_bytes", "") not in found


def test_a_stack_without_a_run_tells_only_its_state() -> None:
    assert {name for name, _ in parsed(metrics.of_backup(None, "none"))} == {"aidc_backup_state"}


def test_a_drill_is_told_with_its_state_and_duration() -> None:
    run = {"finished": "2026-01-31T12:01:30+00:00", "seconds": 4.5}
    found = parsed(metrics.of_drill({"run": run}, "stale"))
    assert found["aidc_drill_state", "stale"] == 1
    assert found["aidc_drill_duration_seconds", ""] == 4.5
