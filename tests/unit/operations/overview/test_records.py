"""The newest audit and benchmark, read from what their commands leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operations.overview import records


def audit(**changes: Any) -> dict[str, Any]:
    rows = [
        {"part": "p", "name": name, "verdict": verdict, "detail": "d", "fix": ""}
        for name, verdict in (("one", "pass"), ("two", "fail"))
    ]
    found = {
        "schema": "aidc.audit/1", "stack": "dev", "started": "2026-11-28T12:00:00+00:00", "seconds": 90.0,
        "passed": False, "environment": {"kernel": "k", "machine": "m"}, "verdicts": rows, "timings": [],
    }  # fmt: skip
    return {**found, **changes}


RUN = {
    "run_id": "20261128-120000", "tier": "ci", "finished": "2026-11-28T12:30:00+00:00",
    "verdicts": [{"name": "quality of mlp", "verdict": "fail"}, {"name": "data", "verdict": "pass"}],
}  # fmt: skip


def test_an_audit_is_as_old_as_its_end_and_names_what_failed(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(audit()))
    found = records.last_audit(tmp_path)
    assert found
    assert (found.result, found.at, found.failed) == ("failed", "2026-11-28T12:01:30+00:00", ["two"])
    assert found.text == "failed: two"


def test_a_benchmark_is_failed_where_one_verdict_is(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(json.dumps(RUN))
    found = records.last_benchmark(tmp_path)
    assert found
    assert (found.result, found.run, found.verdicts) == ("failed", RUN["run_id"], {"fail": 1, "pass": 1})
    assert found.text == "tier ci: failed: quality of mlp"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"schema": "aidc.audit/1"}', '{"verdicts": 3}'])
def test_what_cannot_be_read_counts_as_never_made(text: str | None, tmp_path: Path) -> None:
    for name in ("audit.json", "result.json"):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert records.last_audit(tmp_path) is None
    assert records.last_benchmark(tmp_path) is None
