"""What the audit says of the newest drill."""

from __future__ import annotations

import pytest

from audit.restorable.check import record, row

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
