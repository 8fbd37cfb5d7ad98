"""What is searched stays within the service and the time, and what is found is shown as it happened."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from operations.engine import finding
from operations.errors import OperationError, RefusedError


def test_an_or_does_not_reach_beyond_the_service() -> None:
    asked = finding.query("deadlock or timeout", "database", "12h", 50)
    assert asked == '_time:12h {service="database"} (deadlock or timeout) | sort by (_time desc) limit 50'


def test_without_a_service_all_are_searched() -> None:
    assert finding.query("x", None, "1h", 5) == "_time:1h (x) | sort by (_time desc) limit 5"


@pytest.mark.parametrize("since", ["", "1", "h", "1h)", "0h", "-1h", "1 h", "1h or *"])
def test_what_is_no_time_is_refused(since: str) -> None:
    with pytest.raises(RefusedError, match="SINCE"):
        finding.query("x", None, since, 5)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_to_look_for_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="FIND"):
        finding.query(text, None, "1h", 5)


def test_the_oldest_line_comes_first_and_services_are_aligned() -> None:
    rows = [
        {"_time": "2026-11-28T10:00:02.5Z", "service": "database", "_msg": "second"},
        {"_time": "2026-11-28T10:00:01.5Z", "service": "home", "_msg": "first"},
    ]
    assert finding.shown(rows) == [
        "2026-11-28T10:00:01Z  home      first",
        "2026-11-28T10:00:02Z  database  second",
    ]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is found where VictoriaLogs answers with these bytes."""

    def found(content: bytes) -> list[dict[str, Any]]:
        answer = SimpleNamespace(status_code=200, content=content)
        monkeypatch.setattr("requests.post", lambda *_, **__: answer)
        return list(finding.ask("https://127.0.0.1:9", "password", None, "x"))

    return found


def test_a_line_ends_where_its_bytes_end(answered: Any) -> None:
    assert answered('{"_msg": "größe\u2028 \x85 x"}\n\n{"_msg": "y"}\n'.encode()) == [
        {"_msg": "größe\u2028 \x85 x"},
        {"_msg": "y"},
    ]


@pytest.mark.parametrize("content", [b"cannot read blocks: timeout", b'{"_msg": ', b"[]", b"[" * 100_000])
def test_an_answer_that_breaks_off_is_told(answered: Any, content: bytes) -> None:
    with pytest.raises(OperationError, match="no line"):
        answered(content)


def test_nothing_that_is_found_steers_the_terminal() -> None:
    (line,) = finding.shown([{"_time": "2026\x1b[2J", "service": "a\x1b[1m", "_msg": "\x1b]0;x\x07\u202e"}])
    assert line.isprintable()
