"""The time that a drill is asked for, and what it prints."""

from __future__ import annotations

import pytest

from operations.errors import RefusedError
from operations.restoring.when import moment


@pytest.mark.parametrize("text", ["2026-01-31T02:15Z", "2026-01-31T03:15+01:00"])
def test_a_time_with_a_zone_is_taken_in_utc(text: str) -> None:
    assert moment(text) == "2026-01-31T02:15:00+00:00"


@pytest.mark.parametrize("text", ["yesterday", "2026-01-31T02:15", "2026-13-01T00:00Z", ""])
def test_a_time_without_a_zone_or_a_meaning_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="2026-01-31T02:15Z"):
        moment(text)
