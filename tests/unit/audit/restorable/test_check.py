"""What the audit says of the newest drill."""

from __future__ import annotations

from typing import Any

import pytest

from audit.restorable.check import record, row
from audit.restorable.jobs import judged

RUN = {"finished": "2026-01-31T12:00:00+00:00", "seconds": 4.0, "objects": {"snapshot": "ab"}}


@pytest.mark.parametrize(
    ("state", "verdict"), [("passed", "pass"), ("failed", "fail"), ("stale", "fail"), ("waiting", "warn")]
)
def test_a_failed_and_a_missed_drill_fail_the_audit(state: str, verdict: str) -> None:
    found = row("dev", "aidc-dev-drill", {"state": state, "text": "so it is", "run": None})
    assert (found.verdict, found.detail) == (verdict, "so it is")
    assert "aidc-dev-drill" in found.fix


def test_the_document_holds_what_was_restored() -> None:
    assert record({"state": "passed", "text": "", "run": RUN}).snapshot == "ab"
    assert record({"state": "waiting", "text": "", "run": None}).finished is None


def told(*unsaved: str, **states: str) -> dict[str, Any]:
    jobs = {name: {"state": state, "text": f"{state} since noon"} for name, state in states.items()}
    return {"jobs": jobs, "unsaved": list(unsaved)}


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("ok", "pass"), ("partial", "warn"), ("running", "warn"), ("late", "fail"), ("failed", "fail")],
)
def test_a_job_that_failed_or_is_late_fails_the_audit_and_is_named(state: str, verdict: str) -> None:
    ended, _ = judged("dev", told(often="ok", rare=state))
    assert ended.verdict == verdict
    if verdict != "pass":
        assert ended.detail == f"rare: {state} since noon"
        assert "JOB=rare" in ended.fix


def test_what_no_job_saves_is_named_as_a_warning() -> None:
    assert [row.verdict for row in judged("dev", told(often="ok"))] == ["pass", "pass"]
    *_, saved = judged("dev", told("bucket/raw", often="ok"))
    assert (saved.verdict, saved.detail) == ("warn", "no job saves bucket/raw")
