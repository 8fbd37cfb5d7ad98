"""What is searched stays within the service and the time, and what is found is shown as it happened."""

from __future__ import annotations

import pytest

from operations.engine import finding
from operations.errors import RefusedError


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
