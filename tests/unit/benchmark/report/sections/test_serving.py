"""Streamed text: the verdict on it, and its table in the report."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.analysis.verdicts.serving import written
from benchmark.load.streams import Written, summarise
from benchmark.report.sections.serving import section


def row(errors: int = 0, same: bool | None = True) -> dict[str, Any]:
    texts = [Written("a", b"xyz", 0.020, (0.004, 0.006))] * 5 + [Written("a", problem="broke off")] * errors
    return {"workload": "bytelm", "clients": 1, **summarise(texts, 1.0), "same_text": same, "host_load": None}


@pytest.mark.parametrize(
    ("errors", "same", "expected"),
    [(0, True, "pass"), (1, True, "fail"), (0, False, "inconclusive"), (0, None, "inconclusive")],
)
def test_every_text_must_come_whole(errors: int, same: bool | None, expected: str) -> None:
    (found,) = written([row(errors, same)])
    assert found["verdict"] == expected


def test_the_verdict_says_when_the_tokens_came() -> None:
    (found,) = written([row(), {**row(), "clients": 4}])
    assert found["actual"].startswith(
        "10 of 10 whole, the same bytes; first token after 20 ms, then 5.0 ms each"
    )


def test_the_report_shows_median_and_95th_percentile(complete: dict[str, Any]) -> None:
    complete["serving"]["generation"] = [row()]
    shown = section(complete)
    assert shown is not None
    (found,) = shown["generation"]
    assert (found["first"], found["per"], found["between"]) == (
        "20.0 ms / 20.0 ms",
        "5.00 ms / 5.00 ms",
        "5.00 ms / 6.00 ms",
    )


def test_a_result_of_before_has_no_such_table(complete: dict[str, Any]) -> None:
    shown = section(complete)
    assert shown is not None
    assert shown["generation"] == []
