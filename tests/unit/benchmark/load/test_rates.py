"""The search for the highest rate, against a service whose limit is known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core import stats
from benchmark.load import rates


def service(limit: float, late: float = 0.0, over: float = 0.1) -> Any:
    """A load's summary: up to `limit` requests/s no answer takes over 100 ms, above it this share of them."""

    def measure(rate: float) -> dict[str, Any]:
        samples = int(rate * rates.seconds_of(rate))
        return {"rate_rps": rate, "samples": samples, "errors": 0, "resent": 0, "p50_ms": 5.0,
                "p99_ms": 10.0 if rate <= limit else 500.0, "sent_late": int(late * samples),
                "over_bound": 0 if rate <= limit else int(over * samples)}  # fmt: skip

    return measure


def found(limit: float, start: float = 50, **more: Any) -> dict[str, Any]:
    return rates.search(service(limit), workload="mlp", bound_ms=100, start=start, **more)


@pytest.mark.parametrize("limit", [3, 49, 50, 51, 170, 333, 1100])
def test_the_limit_is_found_to_the_resolution(limit: float) -> None:
    row = found(limit, steps=20)
    assert row["resolved"]
    assert row["rate_rps"] <= limit < row["next_failed_rps"]
    assert row["next_failed_rps"] / row["rate_rps"] <= rates.RESOLUTION


def test_the_steps_are_bounded() -> None:
    row = found(1e9, steps=4)
    assert [s["rate_rps"] for s in row["steps"]] == [50, 100, 200, 400]
    assert (row["rate_rps"], row["next_failed_rps"], row["resolved"]) == (400, None, False)


def test_a_service_that_holds_nothing_has_no_rate_but_a_reason() -> None:
    row = found(0, steps=20)
    assert row["rate_rps"] is None
    assert "100 ms" in row["not_measured"]["rate_rps"]
    assert min(s["rate_rps"] for s in row["steps"]) >= rates.LOWEST


def test_every_step_has_the_samples_of_a_p99() -> None:
    for rate in (1, 50, 100, 5000):
        assert rate * rates.seconds_of(rate) >= rates.SAMPLES
        count = len(stats.poisson_schedule(rate, rates.seconds_of(rate), seed=7))
        assert count >= stats.P99_SAMPLES


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"errors": 1}, "1 failed"),
        ({"p99_ms": None, "samples": 100}, "100 answers"),
        ({"over_bound": 20}, "p99 above 100 ms: 20 of 800 answers"),
        ({"over_bound": 5}, "5 of 800 answers above 100 ms: p99 may be on either side"),
    ],
)
def test_a_step_that_does_not_hold_says_why(change: dict[str, Any], reason: str) -> None:
    step = rates.judged({**service(50)(50), **change}, 100)
    assert not step["held"]
    assert reason in step["reason"]


@pytest.mark.parametrize(
    ("over", "verdict"),
    [(0, "pass"), (2, "pass"), (3, "inconclusive"), (14, "inconclusive"), (15, "fail"), (800, "fail")],
)
def test_a_step_is_judged_by_its_late_answers(over: int, verdict: str) -> None:
    """Of 800: P(X ≤ 2 | 1 %) = 0.013, P(X ≤ 3) = 0.042; P(X ≥ 15) = 0.017, P(X ≥ 14) = 0.034."""
    step = rates.judged({**service(50)(50), "over_bound": over}, 100)
    assert (step["verdict"], step["held"]) == (verdict, verdict == "pass")


def test_a_rate_that_shows_neither_is_not_the_highest_that_held() -> None:
    row = rates.search(service(60, over=0.01), workload="mlp", bound_ms=100, start=50)
    assert row["rate_rps"] < 61
    assert {s["verdict"] for s in row["steps"]} == {"pass", "inconclusive"}


@pytest.mark.parametrize(("share", "verdict"), [(0.05, "fail"), (0.5, "inconclusive")])
def test_a_step_on_a_busy_host_shows_no_limit(share: float, verdict: str) -> None:
    load = {"seconds": 8.0, "others_share": share}
    step = rates.judged({**service(50)(100), "host_load": load}, 100)
    assert (step["held"], step["verdict"]) == (False, verdict)


def test_a_client_that_sends_late_is_named_as_the_limit() -> None:
    row = rates.search(service(60, late=0.5), workload="mlp", bound_ms=100, start=50)
    assert row["client_limited"]
    assert not found(60)["client_limited"]


def test_a_failure_below_a_rate_that_held_is_not_taken_for_the_limit() -> None:
    steps = [{"rate_rps": 50.0, "held": False}, {"rate_rps": 100.0, "held": True}]
    assert rates.next_rate(steps, 50) == 200


def test_the_search_begins_at_the_highest_declared_rate_that_held() -> None:
    rows = [service(100)(rate) for rate in (50, 100, 200)]
    assert rates.first_rate(rows, [50, 100, 200], 100) == 100
    assert rates.first_rate([], [50, 100], 100) == 50
