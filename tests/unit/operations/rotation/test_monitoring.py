"""The proof that the viewer's password was rotated: the doors as of tracking, and those of the front door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.planning.tracking import authorization
from components.runtime import tls
from operations.rotation import monitoring
from tests.unit.operations.rotation.test_tracking import Subject

NEW, OLD = authorization("viewer", "after"), authorization("viewer", "before")


@pytest.mark.parametrize(
    ("outside", "inside", "words"),
    [
        ({NEW: 200, OLD: 401}, {NEW: "200", OLD: "401"}, []),
        (
            {NEW: 401, OLD: 401},
            {NEW: "200", OLD: "401"},
            [
                "the load balancer does not accept the new",
                "the front door at the load balancer does not accept the new",
            ],
        ),
        (
            {NEW: 200, OLD: 401},
            {NEW: "200", OLD: "200"},
            ["the metrics server does not refuse the old", "the front door does not refuse the old"],
        ),
    ],
    ids=["both", "new refused outside", "old accepted inside"],
)
def test_every_door_must_know_the_new_password_alone(
    monkeypatch: pytest.MonkeyPatch, outside: Mapping[str, int], inside: Mapping[str, str], words: list[str]
) -> None:
    def status(_url: str, _context: Any, _timeout: float, _path: str, headers: Mapping[str, str]) -> int:
        return outside[headers["Authorization"]]

    monkeypatch.setattr(tls, "status", status)
    monkeypatch.setattr(tls, "verifying", lambda **_more: None)
    subject: Any = Subject(inside)
    found = list(monitoring.proof(subject))
    assert [fault.partition(" password")[0] for fault in found] == words
