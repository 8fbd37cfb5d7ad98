"""The search for the highest rate, against a service whose limit is known."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark import rates, stats


def service(limit: float, late: float = 0.0) -> Any:
    """A load's summary: p99 is 10 ms up to `limit` requests/s and 500 ms above."""

    def measure(rate: float) -> dict[str, Any]:
        samples = int(rate * rates.seconds_of(rate))
        return {"rate_rps": rate, "samples": samples, "errors": 0, "resent": 0, "p50_ms": 5.0,
                "p99_ms": 10.0 if rate <= limit else 500.0, "sent_late": int(late * samples)}  # fmt: skip

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
        ({"p99_ms": 101}, "p99 above 100 ms"),
    ],
)
def test_a_step_that_does_not_hold_says_why(change: dict[str, Any], reason: str) -> None:
    step = rates.judged({**service(50)(50), **change}, 100)
    assert not step["held"]
    assert reason in step["reason"]


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
