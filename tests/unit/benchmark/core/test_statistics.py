"""Closed forms: baselines, statistics, gates and the arithmetic of the Poisson open_loop."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from benchmark.core import stats
from benchmark.data import baselines
from benchmark.load import open_loop
from benchmark.telemetry.probes import all_reduce_row


def test_bayes_accuracy() -> None:
    assert baselines.bayes_accuracy() == pytest.approx(0.9555, abs=5e-5)


def test_order_0_of_uniform_bytes_is_eight_bits() -> None:
    data = np.tile(np.arange(256, dtype=np.uint8), 200)
    assert baselines.order_bits(data, data, 0) == pytest.approx(8.0, abs=0.01)


def test_order_1_of_a_cycle_is_nearly_free() -> None:
    data = np.tile(np.arange(256, dtype=np.uint8), 200)
    assert baselines.order_bits(data, data, 1) < 0.1


def test_order_k_survives_bytes_never_seen() -> None:
    known, unseen = np.zeros(100, np.uint8), np.full(50, 7, np.uint8)
    assert math.isfinite(baselines.order_bits(known, unseen, 2))


def test_olympic_mean_drops_the_extremes() -> None:
    assert stats.olympic_mean([1, 2, 3, 100]) == 2.5
    assert stats.olympic_mean([1, 2]) == 1.5


def test_interval_of_a_mean_is_students() -> None:
    mean, low, high = stats.mean_interval([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.3027, s / sqrt(3) = 0.57735
    assert mean == 2.0
    assert [low, high] == pytest.approx([-0.4841, 4.4841], abs=1e-4)
    assert stats.mean_interval([1.0, 2.0]) == (1.5, None, None)


def test_p_value_needs_three_seeds() -> None:
    assert stats.beats_target_p([0.96, 0.97], 0.95, True) is None


def test_p_value_of_a_clear_and_of_an_unclear_result() -> None:
    clear = stats.beats_target_p([0.960, 0.961, 0.962], 0.95, True)
    unclear = stats.beats_target_p([0.94, 0.95, 0.97], 0.95, True)
    assert clear is not None
    assert unclear is not None
    assert clear < 0.01 < unclear


def test_lower_is_better_turns_the_test_around() -> None:
    p = stats.beats_target_p([2.40, 2.41, 2.42], 2.6, False)
    assert p is not None
    assert p < 0.01


@pytest.mark.parametrize(("count", "known"), [(661, False), (662, True)])
def test_p99_needs_662_samples(count: int, known: bool) -> None:
    assert (stats.percentiles(list(range(count)))["p99"] is not None) == known


def test_ecdf_ends_at_one_and_rises() -> None:
    points = stats.ecdf([3.0, 1.0, 2.0, 2.0])
    assert points[-1] == [3.0, 1.0]
    assert [p[1] for p in points] == sorted(p[1] for p in points)


def test_poisson_arrivals_have_their_rate_and_spread() -> None:
    times = stats.poisson_schedule(100, 100, seed=1)
    gaps = np.diff(times)
    assert len(times) == pytest.approx(10_000, abs=400)
    assert gaps.mean() == pytest.approx(0.01, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert times == stats.poisson_schedule(100, 100, seed=1)


def test_latency_counts_from_the_schedule_not_from_the_send() -> None:
    def connect() -> Callable[[int], open_loop.Sent]:
        def send(_: int) -> open_loop.Sent:
            time.sleep(0.03)
            return open_loop.Sent(ok=True)

        return send

    outcome = open_loop.run_schedule([0.0, 0.0, 0.0], connect, senders=1)
    latencies = sorted(answer.latency for answer in outcome)
    # Each waits for those before it; a busy machine only makes it longer.
    assert all(latency >= 0.029 * place for place, latency in enumerate(latencies, 1))


def test_failed_requests_are_counted_and_not_timed() -> None:
    answers = [(0.010, 0.0, True), (5.0, 0.0, False), (0.020, 0.0, True)]
    summary = open_loop.summarise([open_loop.Answer(*answer) for answer in answers])
    assert (summary["samples"], summary["errors"], summary["max_ms"]) == (2, 1, 20.0)
    assert summary["p99_ms"] is None
    assert "662" in summary["not_measured"]["p99_ms"]


def test_gate_passes_equal_runs_and_fails_slow_ones() -> None:
    rng = np.random.default_rng(0)
    base = (100 * rng.normal(1, 0.01, 10)).tolist()
    assert stats.gate(base, (100 * rng.normal(1, 0.01, 10)).tolist())["verdict"] == "pass"
    assert stats.gate(base, (85 * rng.normal(1, 0.01, 10)).tolist())["verdict"] == "fail"


def test_gate_does_not_judge_few_or_noisy_pairs() -> None:
    rng = np.random.default_rng(0)
    assert stats.gate([100.0] * 3, [80.0] * 3)["verdict"] == "inconclusive"
    noisy = (94 * rng.normal(1, 0.1, 10)).tolist()
    assert stats.gate([100.0] * 10, noisy)["verdict"] == "inconclusive"


def test_bus_bandwidth_of_an_all_reduce() -> None:
    row = all_reduce_row(size=1_000_000_000, seconds=1.0, ranks=4)
    assert row["algbw_gb_s"] == 1.0
    assert row["busbw_gb_s"] == pytest.approx(2 * 3 / 4)


def test_importing_the_statistics_does_not_load_scipys() -> None:
    code = "import sys, benchmark.core.stats; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
