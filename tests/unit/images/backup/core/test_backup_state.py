"""When a backup is late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from images.backup.keeper.core import status

NOON = datetime(2026, 1, 31, 12, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("started", "state"),
    [
        ("2026-01-31T12:00:01+00:00", "ok"),
        ("2026-01-31T11:30:01+00:00", "late"),
        ("2026-01-31T12:25:00+00:00", "ok"),
        ("2026-02-01T12:00:01+00:00", "late"),
    ],
    ids=["in time", "one missed", "a clock a little ahead", "the clock was set back"],
)
def test_a_run_that_is_too_old_or_of_the_future_is_late(started: str, state: str) -> None:
    found = {"running_since": None, "run": {"started": started, "result": "ok"}}
    assert status.state(found, "*/30 * * * *", NOON) == state
