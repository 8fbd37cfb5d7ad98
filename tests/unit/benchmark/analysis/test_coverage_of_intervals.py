"""Simulations with fixed seeds: intervals hold the true value and verdicts err as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmark.analysis import latency
from benchmark.analysis.verdicts import efficiency as efficiency_verdicts
from benchmark.analysis.verdicts import throughput
from benchmark.core import stats
from benchmark.experiments import balancer_overhead
from benchmark.load import open_loop

RUNS = 4000


def paired(ratio: float, pairs: int, seed: int, spread: float = 0.03) -> list[tuple[float, float]]:
    """Throughputs of a baseline and a candidate that is truly `ratio` times as fast, both noisy."""
    noise = np.exp(np.random.default_rng(seed).normal(0, spread, (pairs, 2)))
    return [(float(a), float(ratio * b)) for a, b in noise]


@pytest.mark.parametrize("pairs", [6, 8, 10, 16])
def test_a_95_percent_interval_holds_the_true_ratio_95_times_of_100(pairs: int) -> None:
    """Resampled means hold it 85, 88, 90 and 92 times."""
    held = 0
    for seed in range(RUNS):
        runs = paired(1.1, pairs, seed)
        found = stats.ratio_interval([a for a, _ in runs], [b for _, b in runs])
        held += found["low"] <= 1.1 <= found["high"]
    assert 0.935 <= held / RUNS <= 0.965


def test_the_interval_of_a_mean_holds_it_95_times_of_100() -> None:
    values = np.random.default_rng(1).normal(5, 1, (RUNS, 5)).tolist()
    ends = [stats.mean_interval(row) for row in values]
    held = sum(low <= 5 <= high for _, low, high in ends if low is not None and high is not None)
    assert 0.935 <= held / RUNS <= 0.965


@pytest.mark.parametrize("pairs", [50, 150])
def test_the_interval_of_a_difference_of_medians_holds_it(pairs: int) -> None:
    rng, held, runs = np.random.default_rng(2), 0, 200
    for _ in range(runs):
        shared = rng.lognormal(1, 0.3, pairs)  # a slow moment is slow for both
        balanced, straight = (shared + rng.normal(added, 0.2, pairs) for added in (0.4, 0.0))
        row = balancer_overhead.compare(balanced.tolist(), straight.tolist())
        held += row["low_ms"] <= 0.4 <= row["high_ms"]
    assert held / runs >= 0.92


def words(outcomes: list[Any]) -> dict[Any, float]:
    return {outcome: outcomes.count(outcome) / len(outcomes) for outcome in set(outcomes)}


@pytest.mark.parametrize("pairs", [8, 10])
def test_a_ratio_at_its_bound_passes_and_fails_in_one_of_forty_at_most(pairs: int) -> None:
    """Resampled means of eight pairs let 6.5 % pass."""
    found = []
    for seed in range(RUNS):
        runs = paired(1.3, pairs, seed)
        found.append(efficiency_verdicts.judged(runs, 1.0, 1.3)["verdict"])
    share = words(found)
    assert share["pass"] <= 0.033
    assert share["fail"] <= 0.033


def test_the_gate_passes_a_candidate_at_the_bound_in_one_of_forty_at_most() -> None:
    found = []
    for seed in range(RUNS):
        runs = paired(0.95, 8, seed)
        found.append(stats.gate([a for a, _ in runs], [b for _, b in runs])["verdict"])
    assert words(found)["pass"] <= 0.033
    assert words(found).get("fail", 0) <= 0.033


@pytest.mark.parametrize("pairs", range(1, stats.LEAST_PAIRS))
@pytest.mark.parametrize("ratio", [0.5, 0.98, 2.0])
def test_fewer_than_eight_pairs_never_make_a_verdict(pairs: int, ratio: float) -> None:
    """One pair at 0.98 once passed the bound of 0.97."""
    runs = [(100.0, 100 * ratio * (1 + i / 1000)) for i in range(pairs)]
    common = {"workload": "mlp", "world_size": 2, "device": "cpu", "breakdown_s": {}}
    inside, outside = (
        [{**common, "seed": i, "throughput": {"value": run[side]}} for i, run in enumerate(runs)]
        for side in (1, 0)
    )
    (row,) = throughput.cost_of_the_stack({"training": inside, "bare": outside})
    assert row["verdict"] == "inconclusive"
    assert "a verdict needs 8" in row["actual"]
    assert stats.gate([a for a, _ in runs], [b for _, b in runs])["verdict"] == "inconclusive"
    assert efficiency_verdicts.judged(runs, 1.0, 1.3)["verdict"] == "inconclusive"


def served(late_share: float, seed: int, count: int = 800, counted: bool = True) -> dict[str, Any]:
    """The summary of a load whose answers are late (above 100 ms) with this probability."""
    rng = np.random.default_rng(seed)
    late = rng.random(count) < late_share
    latencies = np.where(late, 0.150, 0.010) + rng.exponential(0.01, count)
    answers = [open_loop.Answer(float(v), 0.0, True) for v in latencies]
    return open_loop.summarise(answers, 100.0 if counted else None)


@pytest.mark.parametrize("counted", [True, False])
def test_a_service_that_answers_too_late_too_often_hardly_ever_passes(counted: bool) -> None:
    """By the estimate of a p99 one with 1.25 % late answers passed in 31 of 100 measurements."""
    found = [latency.judge(served(0.0125, seed, counted=counted), 100)[0] for seed in range(400)]
    assert words(found).get(True, 0) <= 0.02


def test_a_service_at_the_bound_passes_and_fails_in_one_of_forty_at_most() -> None:
    late = np.random.default_rng(3).binomial(800, 0.01, RUNS).tolist()
    rows = {n: {"samples": 800, "errors": 0, "over_bound": n} for n in set(late)}
    outcomes = {n: latency.judge(row, 100)[0] for n, row in rows.items()}
    found = words([outcomes[n] for n in late])
    assert found.get(True, 0) <= 0.035
    assert found.get(False, 0) <= 0.035


def test_a_good_service_passes_and_a_bad_one_fails() -> None:
    good = words([latency.judge(served(0.0005, seed), 100)[0] for seed in range(100)])
    bad = words([latency.judge(served(0.04, seed), 100)[0] for seed in range(100)])
    assert good[True] >= 0.95
    assert bad[False] >= 0.95


@pytest.mark.parametrize("late", [0, 1, 2, 5, 30, 800])
def test_a_row_without_the_count_bounds_it_by_its_curve(late: int) -> None:
    values = [10 + i / 800 for i in range(800 - late)] + [200 + i for i in range(late)]
    row = open_loop.summarise([open_loop.Answer(v / 1e3, 0.0, True) for v in values])
    fewest, most = latency.late(row, 100)
    assert fewest <= late <= most
    assert most - fewest <= 7  # the curve has 120 points
