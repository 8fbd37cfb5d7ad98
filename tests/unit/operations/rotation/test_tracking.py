"""The proof that a password of tracking was rotated: at the load balancer and at the server behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.planning.tracking import authorization
from components.runtime import tls
from operations.rotation import tracking

NEW, OLD = authorization("admin", "after"), authorization("admin", "before")


class Subject:
    """A stack whose two doors answer as told: header → status."""

    ca_file = ""

    def __init__(self, inside: Mapping[str, str]) -> None:
        self.inside = inside

    def value(self, _name: str) -> str:
        return "after"

    def old(self, _name: str) -> str:
        return "before"

    def endpoint(self, _name: str) -> str:
        return "https://t"

    def container(self, service: str) -> str:
        return service

    def run(self, _container: str, command: list[str], environment: Mapping[str, str]) -> tuple[int, str]:
        assert all(environment["LOGIN"] not in part for part in command)
        return 0, self.inside[environment["LOGIN"]] + "\n"


def faults(
    monkeypatch: pytest.MonkeyPatch, outside: Mapping[str, int], inside: Mapping[str, str]
) -> list[str]:
    def status(_url: str, _context: Any, _timeout: float, _path: str, headers: Mapping[str, str]) -> int:
        return outside[headers["Authorization"]]

    monkeypatch.setattr(tls, "status", status)
    monkeypatch.setattr(tls, "verifying", lambda **_more: None)
    subject: Any = Subject(inside)
    return list(tracking.proof(subject, "tracking/admin"))


def test_two_doors_that_know_only_the_new_password_are_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, {NEW: 200, OLD: 401}, {NEW: "200", OLD: "401"}) == []


@pytest.mark.parametrize(
    ("outside", "inside", "words"),
    [
        ({NEW: 401, OLD: 401}, {NEW: "200", OLD: "401"}, "the load balancer does not accept the new"),
        ({NEW: 200, OLD: 200}, {NEW: "200", OLD: "401"}, "the load balancer does not refuse the old"),
        ({NEW: 200, OLD: 401}, {NEW: "401", OLD: "401"}, "MLflow does not accept the new"),
        ({NEW: 200, OLD: 401}, {NEW: "200", OLD: "200"}, "MLflow does not refuse the old"),
        ({NEW: 200, OLD: 401}, {NEW: "200", OLD: "503"}, "MLflow does not refuse the old"),
    ],
)
def test_anything_else_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, outside: Mapping[str, int], inside: Mapping[str, str], words: str
) -> None:
    assert [fault.startswith(words) for fault in faults(monkeypatch, outside, inside)] == [True]


def test_a_server_without_its_bucket_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "status", lambda *_more: 500)
    monkeypatch.setattr(tls, "verifying", lambda **_more: None)
    subject: Any = Subject({})
    assert list(tracking.store_proof(subject)) == ["the tracking server does not reach its bucket: 500"]
