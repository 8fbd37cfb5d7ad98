"""What SOURCES names, and what a restore says before and after."""

from __future__ import annotations

import pytest

from operations.restoring.order import Sources, chosen

DECLARED = Sources(("datasets", "tracking"), ("tracking", "other"))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, DECLARED),
        ("everything", DECLARED),
        ("buckets", Sources(("datasets", "tracking"), ())),
        ("databases", Sources((), ("tracking", "other"))),
        ("database/other, bucket/datasets", Sources(("datasets",), ("other",))),
        ("bucket/tracking,bucket/tracking", Sources(("tracking",), ())),
        ("buckets,database/other", Sources(("datasets", "tracking"), ("other",))),
    ],
)
def test_sources_are_chosen_by_name_and_by_kind(asked: str | None, expected: Sources) -> None:
    assert chosen(asked, DECLARED) == (expected, [])


@pytest.mark.parametrize(
    ("asked", "fix"),
    [
        ("bucket/dataset", "bucket/datasets"),
        ("tracking", "write bucket/tracking or database/tracking"),
        ("datasets", "write bucket/datasets"),
        ("nonsense", "known: everything"),
        (" , ", "leave it out for everything"),
    ],
)
def test_an_unknown_source_is_named_with_a_fix(asked: str, fix: str) -> None:
    _, issues = chosen(asked, DECLARED)
    assert len(issues) == 1
    assert fix in str(issues[0])


def test_every_unknown_source_is_reported() -> None:
    _, issues = chosen("one,buckets,two", DECLARED)
    assert [issue.path for issue in issues] == ["SOURCES one", "SOURCES two"]
