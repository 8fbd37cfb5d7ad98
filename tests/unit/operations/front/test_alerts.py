"""vmalert's answer as alerts: the urgent ones first, rules that cannot be evaluated among them."""

from __future__ import annotations

import json
from typing import Any

from operations.front.alerts import read


def rule(name: str, severity: str, *alerts: dict[str, Any], health: str = "ok") -> dict[str, Any]:
    return {
        "name": name,
        "health": health,
        "lastError": "no such function" if health == "err" else "",
        "labels": {"severity": severity, "stack": "dev"},
        "annotations": {"summary": "{{ $value }}", "runbook": f"docs/runbooks.md#{name.lower()}"},
        "alerts": list(alerts),
    }


def alert(state: str, summary: str) -> dict[str, Any]:
    notes = {"summary": summary, "runbook": "docs/runbooks.md#x"}
    return {"state": state, "activeAt": "2026-11-28T18:00:00Z", "annotations": notes}


def told(*rules: dict[str, Any]) -> str:
    return json.dumps({"status": "success", "data": {"groups": [{"name": "aidc", "rules": list(rules)}]}})


def test_what_fires_comes_before_what_does_not_yet_and_pages_before_tickets() -> None:
    found = read(
        told(
            rule("Disk", "ticket", alert("firing", "full")),
            rule("Down", "page", alert("pending", "a"), alert("firing", "b")),
            rule("Quiet", "page"),
        )
    )
    assert found is not None
    assert [(one.name, one.state, one.summary) for one in found] == [
        ("Down", "firing", "b"),
        ("Disk", "firing", "full"),
        ("Down", "pending", "a"),
    ]


def test_an_alert_that_was_resolved_is_none() -> None:
    assert read(told(rule("Down", "page", alert("inactive", "it was")))) == []


def test_a_rule_that_cannot_be_evaluated_is_an_alert_with_its_reason() -> None:
    found = read(told(rule("Down", "ticket", health="err")))
    assert found is not None
    assert [(one.state, one.severity, one.since) for one in found] == [("firing", "ticket", None)]
    assert "no such function" in found[0].summary


def test_anything_else_is_no_answer() -> None:
    for text in ("", "<html>", "[]", "null", '{"data": {}}', told({"name": "x"})):
        assert read(text) is None


def test_labels_that_a_service_chose_steer_no_terminal() -> None:
    found = read(told(rule("Down", "page", alert("firing", "\x1b[2Jgone\x9b1m"))))
    assert found is not None
    assert found[0].summary.isprintable()
